// File sites.go has the functions that allocate. The sizes are those of size
// classes in every Go release, so that they are what the runtime counts, too.

package main

// node is 64 bytes with pointers.
type node struct {
	next   *node
	values [7]uint64
}

// kept is what stays alive until the end.
var kept struct {
	nodes  *node
	blocks []*[4096]byte
	large  []*[40960]byte
}

// sink is where garbage is put; the next replaces it.
var sink struct {
	node  *node
	block *[4096]byte
	large *[40960]byte
}

//go:noinline
func quietSmall(keep bool) {
	n := &node{} // allocates here
	if keep {
		n.next = kept.nodes
		kept.nodes = n
		return
	}
	sink.node = n
}

//go:noinline
func quietBlocks(keep bool) {
	block := new([4096]byte) // allocates here
	if keep {
		kept.blocks = append(kept.blocks, block)
		return
	}
	sink.block = block
}

// quietLarge allocates what has a span of its own.
//
//go:noinline
func quietLarge(keep bool) {
	large := new([40960]byte) // allocates here
	if keep {
		kept.large = append(kept.large, large)
		return
	}
	sink.large = large
}
