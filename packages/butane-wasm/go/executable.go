//go:build wasip1

package main

import (
	"io/fs"
	"os"
	"syscall"
	_ "unsafe" // go:linkname
)

// executableDevice is the device number our host gives files that have an executable bit (wasi-files.ts):
// WASI has no permission bits, and Butane makes the mode of a tree's files 0755 or 0644 by them.
const executableDevice = 1

// lstat is what filepath.Walk reads a file's mode with. The variable is the standard library's own place
// for a replacement (its tests use it); reaching it from here needs the linker's -checklinkname=0.
//
//go:linkname lstat path/filepath.lstat
var lstat func(name string) (fs.FileInfo, error)

type executable struct{ fs.FileInfo }

func (e executable) Mode() fs.FileMode { return e.FileInfo.Mode() | 0o111 }

func init() {
	lstat = func(name string) (fs.FileInfo, error) {
		info, err := os.Lstat(name)
		if err != nil {
			return nil, err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Dev == executableDevice {
			return executable{info}, nil
		}
		return info, nil
	}
}
