// File phases.go holds the functions that the measurement calls. Each has one
// allocating statement, on the line that ends in the site mark, and everything
// it allocates is allocated below that line. What is allocated is kept in the
// worker, so that no compiler may drop it or put it on the stack.

package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

const (
	tinyText  = "tenth"
	mapKeys   = 100
	appended  = 1000
	builtText = "a line that a strings.Builder put together"
)

// node is a small struct with a pointer: 24 bytes on a 64-bit machine.
type node struct {
	next       *node
	key, value int64
}

// wideNode has a pointer too, and 64 bytes.
type wideNode struct {
	next   *wideNode
	values [7]int64
}

// sample has no pointers: 48 bytes.
type sample struct{ values [6]int64 }

// worker is what one goroutine of the measurement allocates from and into.
type worker struct {
	start  pipe
	signal [1]byte
	// requested collects, per phase, the bytes that ask notes; phase and call
	// say which phase runs, and which call of it this is.
	requested   []uint64
	phase, call int

	// What the phases allocate from: variables, so that no compiler knows them.
	depth      int
	zero       int
	number     int64
	lastSize   uint32
	tiny       []byte
	head, tail string
	keys       []string
	sampleType reflect.Type

	// What they allocate into.
	small     *node
	wide      *wideNode
	noscan    *sample
	truth     *bool
	byteValue *int8
	word      *int32
	text      string
	bytes     []byte
	nodes     []*node
	ints      []int
	maps      []map[string]*node
	queue     chan int
	closure   func() int64
	boxed     any
	empty     *struct{}
	reflected reflect.Value
}

func newWorker(calls, depth int) *worker {
	w := &worker{
		requested:  make([]uint64, len(phases)),
		depth:      depth,
		number:     1 << 40,
		tiny:       []byte(tinyText),
		head:       tinyText[:2],
		tail:       tinyText[2:],
		sampleType: reflect.TypeOf(sample{}),
		maps:       make([]map[string]*node, calls+rehearsalCalls),
	}
	for i := 0; i < mapKeys; i++ {
		w.keys = append(w.keys, "user-"+strconv.Itoa(i))
	}
	return w
}

// repeat calls one phase.
func (w *worker) repeat(phase, calls int) {
	w.phase = phase
	run := phases[phase].run
	for w.call = 0; w.call < calls; w.call++ {
		run(w)
	}
}

// ask notes a size handed to the allocator that perCall of the phase lacks.
func (w *worker) ask(bytes int) { w.requested[w.phase] += uint64(bytes) }

//go:noinline
func pointerStruct(w *worker) {
	w.small = &node{key: w.number} // alloc site
}

//go:noinline
func widePointerStruct(w *worker) {
	w.wide = &wideNode{} // alloc site
}

//go:noinline
func noscanStruct(w *worker) {
	w.noscan = &sample{} // alloc site
}

//go:noinline
func tinyBool(w *worker) {
	w.truth = new(bool) // alloc site
}

//go:noinline
func tinyInt8(w *worker) {
	w.byteValue = new(int8) // alloc site
}

//go:noinline
func tinyInt32(w *worker) {
	w.word = new(int32) // alloc site
}

//go:noinline
func tinyString(w *worker) {
	w.text = string(w.tiny) // alloc site
}

//go:noinline
func tinyConcatenation(w *worker) {
	w.text = w.head + w.tail // alloc site
}

//go:noinline
func byteSlice(w *worker) {
	w.bytes = make([]byte, 1000) // alloc site
}

// variableByteSlice walks through all sizes from 1 to 4096, the same ones in
// every run (a linear congruential generator of full period).
//
//go:noinline
func variableByteSlice(w *worker) {
	w.lastSize = (5*w.lastSize + 3) % 4096
	w.bytes = make([]byte, 1+w.lastSize) // alloc site
	w.ask(len(w.bytes))
}

// pointerSlice passes 512 bytes, from where on Go 1.22 and later put a header
// before objects with pointers.
//
//go:noinline
func pointerSlice(w *worker) {
	w.nodes = make([]*node, 100) // alloc site
}

//go:noinline
func largeNoscan(w *worker) {
	w.bytes = make([]byte, 40<<10) // alloc site
}

//go:noinline
func largePointers(w *worker) {
	w.nodes = make([]*node, (100<<10)/wordSize) // alloc site
}

// growingAppend appends to a field, not to a local variable: Go 1.26 and later
// would start a local slice on the stack. The allocator is asked for the whole
// new capacity, which append has rounded up to a size class before.
//
//go:noinline
func growingAppend(w *worker) {
	w.ints = nil
	capacity := 0
	for i := 0; i < appended; i++ {
		w.ints = append(w.ints, i) // alloc site
		if cap(w.ints) != capacity {
			capacity = cap(w.ints)
			w.ask(capacity * wordSize)
		}
	}
}

//go:noinline
func mapMake(w *worker) {
	w.maps[w.call] = make(map[string]*node) // alloc site
}

// mapFill fills the map that the same call of mapMake made. Up to Go 1.23 the
// number of overflow buckets varies with the random seed of the map.
//
//go:noinline
func mapFill(w *worker) {
	m := w.maps[w.call]
	for _, key := range w.keys {
		m[key] = w.small // alloc site
	}
}

//go:noinline
func channel(w *worker) {
	w.queue = make(chan int, 16) // alloc site
}

// closure captures a variable that nobody assigns again, so that it is copied
// into the closure beside the code pointer instead of moving to the heap.
//
//go:noinline
func closure(w *worker) {
	number := w.number
	w.closure = func() int64 { return number } // alloc site
}

// interfaceBoxing boxes a number above 255: the runtime keeps smaller ones ready.
//
//go:noinline
func interfaceBoxing(w *worker) {
	w.boxed = w.number // alloc site
}

// zeroSize asks for no bytes, once through the allocator and once at compile
// time: neither is an allocation.
//
//go:noinline
func zeroSize(w *worker) {
	w.bytes, w.empty = make([]byte, w.zero), new(struct{}) // alloc site
}

// genericPair allocates in two instantiations of one function, which have one
// line between them.
//
//go:noinline
func genericPair(w *worker) {
	newOf[int64](w)
	newOf[node](w)
}

//go:noinline
func newOf[T any](w *worker) {
	w.boxed = new(T) // alloc site
}

//go:noinline
func inlinedCall(w *worker) {
	newWideNode(w)
}

// newWideNode is small enough for every compiler to inline it.
func newWideNode(w *worker) {
	w.wide = &wideNode{} // alloc site
}

//go:noinline
func throughReflect(w *worker) {
	w.reflected = reflect.New(w.sampleType) // alloc site
}

//go:noinline
func throughBuilder(w *worker) {
	var b strings.Builder
	b.Grow(len(builtText)) // alloc site
	w.ask(b.Cap())
	b.WriteString(builtText)
	w.text = b.String()
}

//go:noinline
func deepRecursion(w *worker) {
	descend(w, w.depth-1)
}

// descend has work left after its call, so that every level keeps its frame.
//
//go:noinline
func descend(w *worker, below int) {
	if below > 0 {
		descend(w, below-1)
		w.small.value++
		return
	}
	w.small = &node{key: w.number} // alloc site
}

//go:noinline
func throughSprintf(w *worker) {
	w.text = fmt.Sprintf("user %d is %s", w.number, w.keys[0]) // alloc site
}
