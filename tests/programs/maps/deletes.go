// File deletes.go takes entries out of maps, one by one and all at once.

package main

// rounds is how often the maps are filled and emptied again.
const rounds = 5

//go:noinline
func refillStrings(m map[string]int64) {
	for i := 0; i < filled; i++ {
		m[keys[i]] = int64(i)
	}
}

//go:noinline
func deleteString(m map[string]int64, key string) { delete(m, key) }

// clearStrings is what the compiler turns into one call that empties the map,
// unless the program is instrumented.
//
//go:noinline
func clearStrings(m map[string]int64) {
	for key := range m {
		delete(m, key)
	}
}

//go:noinline
func deleteInt32(m map[int32]int64) {
	for i := int32(0); i < filled; i++ {
		delete(m, i)
	}
}

//go:noinline
func deleteInt64(m map[int64]user) {
	for i := int64(0); i < filled; i++ {
		delete(m, i)
	}
}

//go:noinline
func deleteStruct(m map[point]string) {
	for i := int32(0); i < filled; i++ {
		delete(m, point{i, 1})
	}
}

// deleteAbsent takes nothing out of a map, and nothing out of no map.
//
//go:noinline
func deleteAbsent(m, none map[string]int64) {
	for i := filled; i < 2*filled; i++ {
		delete(m, keys[i])
		delete(none, keys[i])
	}
}

func deletes() {
	text, none := map[string]int64{}, map[string]int64(nil)
	small, number, structs := map[int32]int64{}, map[int64]user{}, map[point]string{}
	for _, m := range []interface{}{text, small, number, structs} {
		keep(m)
	}
	for round := 0; round < rounds; round++ {
		refillStrings(text)
		deleteAbsent(text, none)
		for i := 0; i < filled/2; i++ {
			deleteString(text, keys[i])
		}
		clearStrings(text)
	}
	for i := int32(0); i < filled; i++ {
		small[i], number[int64(i)], structs[point{i, 1}] = 1, user{}, ""
	}
	// Twice: what the last operation on a map did is seen by the next one only,
	// which finds nothing to delete here.
	for i := 0; i < 2; i++ {
		deleteInt32(small)
		deleteInt64(number)
		deleteStruct(structs)
	}
	deleteAbsent(text, none)
	const half = filled / 2
	tellSite("refillStrings", site{writes: rounds * filled, net: rounds * filled})
	tellMap("refillStrings", 1, filled, -1)
	tellSite("deleteAbsent", site{deletes: 2 * (rounds + 1) * filled})
	tellSite("deleteString", site{deletes: rounds * half, net: -rounds * half})
	cleared := site{clears: rounds, net: -rounds * half}
	if instrumented {
		cleared = site{deletes: rounds * half, net: -rounds * half}
	}
	tellSite("clearStrings", cleared)
	tellSite("deletes", site{writes: 3 * filled, net: 3 * filled})
	tellMap("deletes", 3, filled, growths(filled))
	for _, function := range []string{"deleteInt32", "deleteInt64", "deleteStruct"} {
		tellSite(function, site{deletes: 2 * filled, net: -filled})
	}
}
