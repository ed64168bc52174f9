"""Operations on objects outside a multipart upload."""
