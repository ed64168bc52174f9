package main

import (
	"context"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
)

// sdkV2 is alibabacloud-oss-go-sdk-v2 with its checkpoint. It doubles the part size of 10,000 parts.
type sdkV2 struct {
	client *oss.Client
	todo   work
}

func newV2(todo work) sdkV2 {
	config := oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(accessKeyID, accessKeySecret)).
		WithRegion(region).
		WithEndpoint(todo.URL).
		WithUsePathStyle(true)
	return sdkV2{oss.NewClient(config), todo}
}

func (sdk sdkV2) uploadParts(path string) error {
	uploader := sdk.client.NewUploader(func(options *oss.UploaderOptions) {
		options.PartSize = sdk.todo.PartSize
		options.ParallelNum = sdk.todo.Threads
		options.EnableCheckpoint = true
		options.CheckpointDir = sdk.todo.Scratch
	})
	_, err := uploader.UploadFile(context.TODO(), putRequest(objectKey), path)
	return err
}

func (sdk sdkV2) putFile(path, key string) error {
	_, err := sdk.client.PutObjectFromFile(context.TODO(), putRequest(key), path)
	return err
}

func putRequest(key string) *oss.PutObjectRequest {
	return &oss.PutObjectRequest{Bucket: oss.Ptr(bucketName), Key: oss.Ptr(key)}
}
