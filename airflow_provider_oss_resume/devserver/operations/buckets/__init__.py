"""Operations on buckets, and the listing of their objects."""
