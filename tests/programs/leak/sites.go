// File sites.go has the functions that allocate: with pointers and without, small
// and large, inlined, generic, below many frames. The sizes are those of size
// classes in every Go release, so that they are what the runtime counts, too.

package main

// node is 64 bytes with pointers.
type node struct {
	next   *node
	values [7]uint64
}

// leaf is 32 bytes with pointers.
type leaf struct {
	next   *leaf
	values [3]uint64
}

// pair is 48 bytes with pointers.
type pair struct {
	left, right *pair
	values      [4]uint64
}

// deep is 96 bytes with pointers.
type deep struct {
	next   *deep
	values [11]uint64
}

// requestSize is the size of a request, which has pointers.
const requestSize = 256

type request struct {
	next *request
	body [31]uint64
}

// entries is how many a map has room for from the start, and how many it gets.
const entries = 1000

// beforeSize is the size of what is there before the scene.
const beforeSize = 4096

// kept is what stays alive until the end.
var kept struct {
	nodes    *node
	blocks   [][]byte
	large    []*[40960]byte
	tables   []*[100]*node
	maps     []map[uint64]*node
	leaves   *leaf
	arrays   []*[16]uint64
	pairs    []*pair
	bottom   *deep
	before   []*[beforeSize]byte
	requests [3]*request
}

// sink is where garbage is put; the next replaces it.
var sink struct {
	node  *node
	bytes []byte
}

//go:noinline
func leakSmall() {
	kept.nodes = &node{next: kept.nodes} // leaks here
}

//go:noinline
func leakBlocks(slot *[]byte, size int) {
	*slot = make([]byte, size) // leaks here
}

//go:noinline
func leakLarge(slot **[40960]byte) {
	*slot = new([40960]byte) // leaks here
}

// leakTables leaks objects with pointers that have a header from Go 1.22 on.
//
//go:noinline
func leakTables(slot **[100]*node) {
	*slot = new([100]*node) // leaks here
}

// leakMap leaks a map that is never larger than it was made for.
//
//go:noinline
func leakMap(slot *map[uint64]*node) {
	m := make(map[uint64]*node, entries)
	for i := uint64(0); i < entries; i++ {
		m[i] = nil
	}
	*slot = m
}

// newLeaf is inlined into newBranch, and that into leakInlined.
func newLeaf(next *leaf) *leaf {
	return &leaf{next: next} // leaks here
}

func newBranch() *leaf { return newLeaf(kept.leaves) }

//go:noinline
func leakInlined() {
	kept.leaves = newBranch()
}

//go:noinline
func leakGeneric[T any](slot **T) {
	*slot = new(T) // leaks here
}

// leakDeep has work left after its call, so that every level keeps its frame.
//
//go:noinline
func leakDeep(below int) int {
	if below > 0 {
		return leakDeep(below-1) + 1
	}
	atBottom()
	return 0
}

//go:noinline
func atBottom() {
	kept.bottom = &deep{next: kept.bottom} // leaks here
}

//go:noinline
func leakRequests(head **request) {
	*head = &request{next: *head} // leaks here
}

// churn keeps nothing but the newest.
//
//go:noinline
func churn() {
	sink.node = &node{}
	sink.bytes = make([]byte, 1024)
}

//go:noinline
func keepBefore(count int) {
	kept.before = make([]*[beforeSize]byte, count)
	for i := range kept.before {
		kept.before[i] = new([beforeSize]byte)
	}
}
