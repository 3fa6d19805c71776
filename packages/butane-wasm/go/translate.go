//go:build wasip1

package main

import (
	"encoding/json"
	"strings"
	"syscall"

	"github.com/coreos/butane/config"
	"github.com/coreos/butane/config/common"
)

// translateOptions are the host's options for one document.
type translateOptions struct {
	// FilesDir is the folder of the host's file system that local files are read from; "" for none.
	FilesDir string `json:"filesDir"`
	Pretty   bool   `json:"pretty"`
	Raw      bool   `json:"raw"`
}

// translateDocument gives what the butane command prints, its closing line feed included.
func translateDocument(options, document []byte) answer {
	var o translateOptions
	if err := json.Unmarshal(options, &o); err != nil {
		panic(err)
	}
	written, r, err := config.TranslateBytes(document, common.TranslateBytesOptions{
		TranslateOptions: common.TranslateOptions{FilesDir: o.FilesDir},
		Pretty:           o.Pretty,
		Raw:              o.Raw,
	})
	a := answerFrom(r)
	for i := range a.Entries {
		a.Entries[i].Message = asOnLinux(a.Entries[i].Message)
	}
	if err != nil {
		return a.refused(codeRefused, asOnLinux(err.Error()))
	}
	a.Ignition = string(written) + "\n"
	return a
}

// linuxTexts are the file errors that can happen here, in the words of the butane command on Linux.
var linuxTexts = map[syscall.Errno]string{
	syscall.ENOENT: "no such file or directory",
	syscall.EISDIR: "is a directory",
}

func asOnLinux(message string) string {
	for errno, text := range linuxTexts {
		if place, ok := strings.CutSuffix(message, ": "+errno.Error()); ok {
			return place + ": " + text
		}
	}
	return message
}
