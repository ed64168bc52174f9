// The official Go SDKs. Run as `go-peers v1|v2 WORK`; prints as benchmarks/child.py does.
//
// One file is a multipart upload by the SDK's own uploader, many files are one PutObject each.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	accessKeyID     = "bench-id"
	accessKeySecret = "bench-secret"
	region          = "cn-hangzhou"
	bucketName      = "examplebucket"
	objectKey       = "bench/object.bin"
)

// work holds what benchmarks/work.py passes on.
type work struct {
	URL      string   `json:"url"`
	Files    []string `json:"files"`
	PartSize int64    `json:"part_size"`
	Threads  int      `json:"threads"`
	Scratch  string   `json:"scratch"`
}

// uploader is what each SDK does.
type uploader interface {
	uploadParts(path string) error
	putFile(path, key string) error
}

func main() {
	var todo work
	check(json.Unmarshal([]byte(os.Args[2]), &todo))
	var sdk uploader
	if os.Args[1] == "v1" {
		sdk = newV1(todo)
	} else {
		sdk = newV2(todo)
	}
	check(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200))
	start, cpu, resident := time.Now(), cpuSeconds(), memory("VmRSS")
	if len(todo.Files) > 1 {
		putFiles(sdk, todo)
	} else {
		check(sdk.uploadParts(todo.Files[0]))
	}
	printed, err := json.Marshal(map[string]any{
		"wall":     time.Since(start).Seconds(),
		"cpu":      cpuSeconds() - cpu,
		"memory":   memory("VmHWM") - resident,
		"reported": map[string]any{},
	})
	check(err)
	fmt.Println(string(printed))
}

func putFiles(sdk uploader, todo work) {
	paths := make(chan string)
	var running sync.WaitGroup
	for thread := 0; thread < todo.Threads; thread++ {
		running.Add(1)
		go func() {
			defer running.Done()
			for path := range paths {
				check(sdk.putFile(path, "bench/"+filepath.Base(path)))
			}
		}()
	}
	for _, path := range todo.Files {
		paths <- path
	}
	close(paths)
	running.Wait()
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// memory returns a figure of /proc/self/status in KiB.
func memory(name string) int {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, name+":") {
			kib, err := strconv.Atoi(strings.Fields(line)[1])
			check(err)
			return kib
		}
	}
	return 0
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
