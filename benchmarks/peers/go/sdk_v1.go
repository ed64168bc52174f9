package main

import "github.com/aliyun/aliyun-oss-go-sdk/oss"

// sdkV1 is aliyun-oss-go-sdk without a checkpoint: with one, it writes the whole checkpoint after each part.
type sdkV1 struct {
	bucket *oss.Bucket
	todo   work
}

func newV1(todo work) sdkV1 {
	client, err := oss.New(todo.URL, accessKeyID, accessKeySecret, oss.AuthVersion(oss.AuthV4), oss.Region(region))
	check(err)
	bucket, err := client.Bucket(bucketName)
	check(err)
	return sdkV1{bucket, todo}
}

func (sdk sdkV1) uploadParts(path string) error {
	return sdk.bucket.UploadFile(objectKey, path, sdk.todo.PartSize, oss.Routines(sdk.todo.Threads))
}

func (sdk sdkV1) putFile(path, key string) error {
	return sdk.bucket.PutObjectFromFile(key, path)
}
