"""Operations of a multipart upload."""
