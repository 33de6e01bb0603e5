// File sites.go lists the phases and finds the line of each allocating statement.

package main

import (
	_ "embed"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"unsafe"
)

// phase is one measured step: calls of one function, which allocates at one line.
type phase struct {
	run func(*worker)
	// site names the function with the allocating statement, in the way of
	// runtime.Func and without its package, where that is not run itself.
	site    string
	inlined bool
	// perCall is how many bytes one call asks the allocator for. A phase whose
	// calls differ adds the rest with worker.ask; unknown means that the
	// runtime alone knows.
	perCall int
	// heavy phases run a tenth of the calls, to keep the process small.
	heavy bool
}

const unknown = -1

// phases is the order of the measurement. mapFill uses the maps of mapMake.
var phases = []phase{
	{run: pointerStruct, perCall: int(unsafe.Sizeof(node{}))},
	{run: widePointerStruct, perCall: int(unsafe.Sizeof(wideNode{}))},
	{run: noscanStruct, perCall: int(unsafe.Sizeof(sample{}))},
	{run: tinyBool, perCall: 1},
	{run: tinyInt8, perCall: 1},
	{run: tinyInt32, perCall: 4},
	{run: tinyString, perCall: len(tinyText)},
	{run: tinyConcatenation, perCall: len(tinyText)},
	{run: byteSlice, perCall: 1000},
	{run: variableByteSlice},
	{run: pointerSlice, perCall: 100 * wordSize},
	{run: largeNoscan, perCall: 40 << 10, heavy: true},
	{run: largePointers, perCall: 100 << 10, heavy: true},
	{run: growingAppend},
	{run: mapMake, perCall: unknown},
	{run: mapFill, perCall: unknown},
	{run: channel, perCall: unknown},
	{run: closure, perCall: 2 * wordSize},
	{run: interfaceBoxing, perCall: 8},
	{run: zeroSize},
	{run: genericPair, site: "newOf[...]", perCall: 8 + int(unsafe.Sizeof(node{}))},
	{run: inlinedCall, site: "newWideNode", inlined: true, perCall: int(unsafe.Sizeof(wideNode{}))},
	{run: throughReflect, perCall: int(unsafe.Sizeof(sample{}))},
	{run: throughBuilder},
	{run: deepRecursion, site: "descend", perCall: int(unsafe.Sizeof(node{}))},
	{run: throughSprintf, perCall: unknown},
}

const wordSize = int(unsafe.Sizeof(uintptr(0)))

// callsOf is how many calls of the phase each goroutine makes.
func (p *phase) callsOf(calls int) int {
	if p.heavy {
		return (calls + 9) / 10
	}
	return calls
}

// site is where a phase allocates, spelled as the runtime spells it.
type site struct {
	function, entry, file string
	line                  int
}

//go:embed phases.go
var phasesSource string

// siteMark ends the allocating statement of each phase in phases.go.
const siteMark = "// alloc site"

// findSites returns the site of each phase, in the order of phases.
func findSites() ([]site, error) {
	lines := markedLines()
	sites := make([]site, 0, len(phases))
	for _, p := range phases {
		pc := reflect.ValueOf(p.run).Pointer()
		f := runtime.FuncForPC(pc)
		file, _ := f.FileLine(pc)
		s := site{entry: f.Name(), function: f.Name(), file: file}
		if p.site != "" {
			s.function = "main." + p.site
		}
		var ok bool
		if s.line, ok = lines[s.function]; !ok {
			return nil, fmt.Errorf("no statement of %s ends in %q in phases.go", s.function, siteMark)
		}
		sites = append(sites, s)
	}
	return sites, nil
}

// markedLines maps each function of phases.go to the line that carries siteMark.
func markedLines() map[string]int {
	marked := make(map[string]int)
	function := ""
	for i, text := range strings.Split(phasesSource, "\n") {
		if strings.HasPrefix(text, "func ") {
			function = functionName(text)
		}
		if strings.HasSuffix(text, siteMark) {
			marked[function] = i + 1
		}
	}
	return marked
}

// functionName spells the function that a declaration starts as runtime.Func
// does: "main.newOf[...]" for `func newOf[T any](w *worker) {`.
func functionName(declaration string) string {
	name := strings.TrimPrefix(declaration, "func ")
	if end := strings.IndexAny(name, "[("); end >= 0 {
		if name[end] == '[' {
			return "main." + name[:end] + "[...]"
		}
		name = name[:end]
	}
	return "main." + name
}
