// Package main writes to maps in every way that a Go program can, a known number
// of times: the target that the tracing of maps is tested on.
//
// Usage: maps -scene NAME[,NAME...]. It writes "ready" and waits for a line on
// standard input. Then it plays its scenes and writes what a tracer must have
// seen of them, as lines:
//
//	site FUNCTION writes N deletes N clears N nil N net N
//	map FUNCTION instances N max N growths N
//	bytes FUNCTION growing N all N
//	moved FUNCTION N
//	reused maps N addresses N
//
// A site is the function that holds the statement; nil counts the writes to nil
// maps, which writes does not; net is by how much it changed the lengths of maps.
// A map belongs to the function that first writes to it; max is the largest
// length that one of its instances had; growths is how often each of them grew,
// "-" where their random seeds decide. Then it writes "done" and waits for the
// end of standard input. All maps that are not meant to be freed live until then.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"
)

// maxFor keeps a mistyped duration from eating the machine.
const maxFor = 10 * time.Minute

// scenes are all there is to play; those that end the process, or take as long
// as they are told to, are not part of "all".
var scenes = map[string]func(){
	"kinds":      kinds,
	"grow":       grow,
	"bounded":    bounded,
	"delete":     deletes,
	"reuse":      reuse,
	"stack":      stack,
	"parallel":   parallel,
	"nil":        writeToNil,
	"concurrent": concurrent,
	"leak":       leak,
	"heavy":      heavy,
}

// all is what "-scene all" plays.
var all = []string{"kinds", "grow", "bounded", "delete", "reuse", "stack", "parallel", "nil"}

// The flags that some scenes have.
var (
	length = flag.Duration("for", 5*time.Second, "how long the scenes leak and heavy last")
	die    = flag.Bool("die", false, "scene nil: do not recover from the panic")
	build  = flag.Bool("build", false, "scene heavy: build maps and drop them")
)

func main() {
	names := flag.String("scene", "all", "what to do: names, separated by commas")
	flag.Parse()
	wanted := strings.Split(*names, ",")
	if *names == "all" {
		wanted = all
	}
	var play []func()
	for _, name := range wanted {
		play = append(play, scenes[name])
	}
	if flag.NArg() > 0 || *length < 0 || *length > maxFor || unknown(play) {
		fmt.Fprintf(os.Stderr, "maps: want -scene of %s, -for of 0 to 10m, and no arguments\n", strings.Join(sceneNames(), ", "))
		os.Exit(2)
	}
	prepareKeys()
	runtime.GC()
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := input.ReadString('\n'); err != nil {
		return
	}
	for _, scene := range play {
		scene()
	}
	for _, line := range truth {
		fmt.Println(line)
	}
	fmt.Println("done")
	input.ReadString('\n')
	runtime.KeepAlive(kept)
}

func unknown(play []func()) bool {
	for _, scene := range play {
		if scene == nil {
			return true
		}
	}
	return false
}

func sceneNames() []string {
	var names []string
	for name := range scenes {
		names = append(names, name)
	}
	sort.Strings(names)
	return append(names, "all")
}

// keyCount is the number of the keys that are made beforehand, so that nothing
// but maps allocates where memory is measured.
const keyCount = 1000

var keys [keyCount]string

func prepareKeys() {
	for i := range keys {
		keys[i] = fmt.Sprintf("user-%04d", i)
	}
}

// kept holds the maps that live until the end.
var kept []interface{}

func keep(m interface{}) { kept = append(kept, m) }
