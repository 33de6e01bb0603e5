// Package main prints where its calls are as the Go runtime itself sees it, so
// that a tracer's names can be compared with the runtime's.
//
// Standard library code of many kinds calls back into it (callbacks.go), and each
// callback records the stack it is called on. A line of output is a JSON object:
// first {"anchor":A}, the address of main.anchor in this process; then, for each
// distinct return address seen, {"pc":P,"frames":[...]} with the frames that
// runtime.CallersFrames makes of it, innermost first. Without arguments it ends
// then. Nothing in it must be stripped for that to work.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "frames:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := callback(); err != nil {
		return err
	}
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	start := struct {
		Anchor uintptr `json:"anchor"`
	}{reflect.ValueOf(anchor).Pointer()}
	if err := encoder.Encode(start); err != nil {
		return err
	}
	for _, site := range sites {
		if err := encoder.Encode(site); err != nil {
			return err
		}
	}
	return output.Flush()
}

// anchor does nothing; its address tells where the program was loaded.
//
//go:noinline
func anchor() {}
