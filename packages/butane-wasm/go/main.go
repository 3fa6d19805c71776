//go:build wasip1

// Command butane-wasm is a WebAssembly reactor around Butane's translate and Ignition's validate and merge.
//
// The host asks for room with alloc, writes its input there, calls one of the three, and reads the JSON
// answer at the returned place: pointer in the high 32 bits, length in the low 32 bits.
package main

import (
	"encoding/json"
	"unsafe"
)

// Both stay referenced until the next call, so the collector leaves them alone while the host uses them.
var (
	input  []byte
	output []byte
)

//go:wasmexport alloc
func alloc(size uint32) uint32 {
	input = make([]byte, max(size, 1))
	return uint32(uintptr(unsafe.Pointer(&input[0])))
}

//go:wasmexport validate
func validate(size uint32) uint64 {
	return answerWith(validateConfig(input[:size]))
}

//go:wasmexport merge
func merge(parentSize, childSize uint32) uint64 {
	return answerWith(mergeConfigs(input[:parentSize], input[parentSize:parentSize+childSize]))
}

//go:wasmexport translate
func translate(optionsSize, documentSize uint32) uint64 {
	return answerWith(translateDocument(input[:optionsSize], input[optionsSize:optionsSize+documentSize]))
}

func answerWith(a answer) uint64 {
	encoded, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	output, input = encoded, nil
	return uint64(uintptr(unsafe.Pointer(&output[0])))<<32 | uint64(len(output))
}

func main() {}
