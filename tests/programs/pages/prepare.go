// File prepare.go gets the memory that the scenes touch, and touches none of it.

package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	// prSetTHPDisable is PR_SET_THP_DISABLE of linux/prctl.h.
	prSetTHPDisable = 41
	// fadvDontNeed is POSIX_FADV_DONTNEED of linux/fadvise.h.
	fadvDontNeed = 4
	// hugePage is the largest that a page table of one level makes, on amd64.
	hugePage = 2 << 20
)

// disableHugePages makes every fault one of a small page, whatever the system's
// setting is.
func disableHugePages() error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetTHPDisable, 1, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("turn off transparent huge pages: %w", errno)
	}
	return nil
}

// fresh is memory of no file that nobody has touched.
func fresh(bytes int) ([]byte, error) {
	memory, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", bytes, err)
	}
	return memory, nil
}

func prepareTouch() ([]step, error) {
	bytes := *pages * pageSize
	memory, err := fresh(bytes + hugePage)
	if err != nil {
		return nil, err
	}
	past := int(uintptr(unsafe.Pointer(&memory[0])) % hugePage)
	memory = memory[(hugePage-past)%hugePage:][:bytes]
	advice := syscall.MADV_NOHUGEPAGE
	if *huge {
		advice = syscall.MADV_HUGEPAGE
	}
	if err := syscall.Madvise(memory, advice); err != nil {
		return nil, fmt.Errorf("advise the kernel on huge pages: %w", err)
	}
	return []step{{"touchPages", *pages, func() { touchPages(memory) }}}, nil
}

func prepareRead() ([]step, error) {
	file, err := coldFile(fewer() * pageSize)
	if err != nil {
		return nil, err
	}
	memory, err := fresh(*pages * pageSize)
	if err != nil {
		return nil, err
	}
	return []step{
		{"readFile", fewer(), func() { sum += readFile(file) }},
		{"readZeros", *pages, func() { sum += readZeros(memory) }},
	}, nil
}

// sum keeps what is read from being not needed.
var sum int

// coldFile maps a file that is not in the page cache, if the file system has
// something else to keep it in. Without a name it goes with the process.
func coldFile(bytes int) ([]byte, error) {
	// Often in memory alone: /tmp.
	file, err := os.CreateTemp("/var/tmp", "pages-*")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	if _, err := file.Write(make([]byte, bytes)); err != nil {
		return nil, err
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, file.Fd(), 0, 0, fadvDontNeed, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("drop a file from the page cache: %w", errno)
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, bytes, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map a file: %w", err)
	}
	// Without this one fault reads many pages.
	return memory, syscall.Madvise(memory, syscall.MADV_RANDOM)
}

// sliceSize is more than the runtime clears without a look at its origin.
const sliceSize = 1 << 20

// kept is what the scene clear allocates.
var kept struct {
	bytes    [][]byte
	pointers [][]*byte
}

// prepareClear uses as much memory as the scene will, and takes its pages away
// without telling the runtime: what is allocated there next has to be cleared. Up
// to Go 1.25 debug.FreeOSMemory is as good; later runtimes know that a span which
// the kernel has to fill is clear.
func prepareClear() ([]step, error) {
	slices := (*pages*pageSize/2 + sliceSize - 1) / sliceSize
	freed := useAndFree(2*slices + 1)
	kept.bytes, kept.pointers = make([][]byte, slices), make([][]*byte, slices)
	runtime.GC()
	for _, address := range freed {
		_, _, errno := syscall.RawSyscall(syscall.SYS_MADVISE, address, sliceSize, syscall.MADV_DONTNEED)
		if errno != 0 {
			return nil, fmt.Errorf("take pages of the heap away: %w", errno)
		}
	}
	pages := slices * sliceSize / pageSize
	return []step{{"makeBytes", pages, makeBytes}, {"makePointers", pages, makePointers}}, nil
}

// useAndFree gives the addresses of slices that are garbage.
//
//go:noinline
func useAndFree(slices int) []uintptr {
	used, addresses := make([][]byte, slices), make([]uintptr, slices)
	for i := range used {
		used[i] = make([]byte, sliceSize)
		touchPages(used[i])
		addresses[i] = uintptr(unsafe.Pointer(&used[i][0]))
	}
	return addresses
}

// prepareStack has nothing to get: the runtime does, while the stack grows. It
// grows by being copied, so that there are more pages than the deepest one has.
func prepareStack() ([]step, error) {
	deepest := fewer()
	levels := deepest * pageSize / 1024
	return []step{{"deepen", deepest, func() { sum += int(deepen(levels)) }}}, nil
}

// fewer is the number of pages of a scene for which each page is much work.
func fewer() int { return (*pages + 3) / 4 }

// table is a variable that the linker gives no space in the file.
var table [16 << 20]byte

func prepareBinary() ([]step, error) {
	return []step{{"touchTable", len(table) / pageSize, touchTable}}, nil
}

func prepareSyscall() ([]step, error) {
	zeros, err := syscall.Open("/dev/zero", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/zero: %w", err)
	}
	buffer, err := fresh(*pages * pageSize)
	if err != nil {
		return nil, err
	}
	read := func() {
		if err := readInto(zeros, buffer); err != nil {
			panic(err)
		}
	}
	return []step{{"readInto", *pages, read}}, nil
}

// prepareSteady touches the same pages again and again, which the kernel takes
// away between.
func prepareSteady() ([]step, error) {
	const beat = 10 * time.Millisecond
	each := *rate / int(time.Second/beat)
	if each == 0 {
		each = 1
	}
	beats := int(*length / beat)
	memory, err := fresh(each * pageSize)
	if err != nil {
		return nil, err
	}
	steadily := func() {
		next := time.Now()
		for i := 0; i < beats; i++ {
			touchPages(memory)
			if err := syscall.Madvise(memory, syscall.MADV_DONTNEED); err != nil {
				panic(err)
			}
			next = next.Add(beat)
			time.Sleep(time.Until(next))
		}
	}
	return []step{{"touchPages", beats * each, steadily}}, nil
}
