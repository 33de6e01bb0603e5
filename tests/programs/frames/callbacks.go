// File callbacks.go has the standard library, generic code and inlined code call
// record from as many places as a short program can.

package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"sync"
	"text/tabwriter"
	"text/template"
)

// callback runs every source of stacks.
func callback() error {
	generic()
	inlined(3)
	sorting()
	printing()
	synchronised()
	texts()
	for _, source := range []func() error{encoding, templates, files, syntax} {
		if err := source(); err != nil {
			return err
		}
	}
	return nil
}

// probe calls record through every method that the standard library looks for.
type probe struct{ N int }

func (p *probe) Format(s fmt.State, _ rune)   { record(); io.WriteString(s, "p") }
func (p *probe) MarshalText() ([]byte, error) { record(); return []byte("p"), nil }
func (p *probe) UnmarshalText([]byte) error   { record(); return nil }
func (p *probe) Write(b []byte) (int, error)  { record(); return len(b), nil }
func (p *probe) Read(b []byte) (int, error)   { record(); return 0, io.EOF }
func (p *probe) WriteByte(byte) error         { record(); return nil }
func (p *probe) Len() int                     { record(); return 40 }
func (p *probe) Less(i, j int) bool           { record(); return i*7%11 < j*7%11 }
func (p *probe) Swap(i, j int)                { record() }
func (p *probe) Error() string                { record(); return "p" }
func (p *probe) Is(error) bool                { record(); return false }
func (p *probe) Set(string) error             { record(); return nil }
func (p *probe) Visit(ast.Node) ast.Visitor   { record(); return p }
func (p *probe) Lock()                        { record() }
func (p *probe) Unlock()                      { record() }
func (p *probe) GobEncode() ([]byte, error)   { record(); return []byte("p"), nil }
func (p *probe) Scan(s fmt.ScanState, _ rune) error {
	record()
	_, err := s.Token(true, nil)
	return err
}

// named has String methods, which fmt reaches another way than Format.
type named struct{}

func (*named) String() string   { record(); return "n" }
func (*named) GoString() string { record(); return "n" }

func (p *probe) String() string { record(); return "p" }

// list is a generic type whose methods and functions record.
type list[T any] struct {
	value T
	next  *list[T]
}

func (l *list[T]) each(f func(T)) {
	for ; l != nil; l = l.next {
		f(l.value)
	}
}

//go:noinline
func apply[T, R any](values []T, f func(T) R) []R {
	var results []R
	for _, value := range values {
		results = append(results, convert(value, f))
	}
	return results
}

func convert[T, R any](value T, f func(T) R) R { return f(value) }

func generic() {
	record()
	apply([]int{1}, func(int) string { record(); return "" })
	apply([]string{""}, func(string) *probe { record(); return nil })
	apply([]*probe{nil}, func(*probe) [2]int { record(); return [2]int{} })
	(&list[int]{1, &list[int]{}}).each(func(int) { record() })
	(&list[*probe]{}).each(func(*probe) { record() })
	apply([]list[string]{{}}, func(l list[string]) (r struct{ X int }) { l.each(func(string) { record() }); return })
}

// inlined calls record through functions that the compiler inlines into it, up to
// four deep, at every place of them.
//
//go:noinline
func inlined(n int) {
	one(n)
	two(n)
	three(n)
	four(n)
	defer two(n)
	func() { one(n) }()
	for i := 0; i < 2; i++ {
		four(i)
	}
}

func one(n int)   { record() }
func two(n int)   { one(n); one(n + 1) }
func three(n int) { one(n); two(n); one(n) }
func four(n int) {
	three(n)
	if n > 0 {
		two(n)
	}
}

func sorting() {
	sort.Sort(&probe{})
	sort.Stable(&probe{})
	sort.Sort(sort.Reverse(&probe{}))
	numbers := make([]int, 300)
	for i := range numbers {
		numbers[i] = i * 7919 % 101
	}
	sort.Slice(numbers, func(i, j int) bool { record(); return numbers[i] < numbers[j] })
	sort.SliceStable(numbers, func(i, j int) bool { record(); return numbers[i] > numbers[j] })
	sort.Search(100, func(i int) bool { record(); return i > 30 })
}

func printing() {
	fmt.Fprintf(&probe{}, "%v %d %s %+v %p", &probe{}, []*probe{{}}, map[int]*probe{1: {}}, struct{ P any }{&probe{}}, &probe{})
	fmt.Fprintln(io.Discard, &named{}, []any{&named{}}, [1]*named{{}}, struct{ N *named }{&named{}})
	fmt.Fprintf(io.Discard, "%#v %x %q %v", &named{}, &named{}, &named{}, reflect.ValueOf(&named{}))
	fmt.Sscan("word word", &probe{}, &probe{})
	fmt.Sscanf("a b", "%v %v", &probe{}, &probe{})
	log.New(&probe{}, "", log.LstdFlags|log.Lshortfile).Println(&named{})
	new(big.Int).Exp(big.NewInt(3), big.NewInt(1000), nil).Format(state{}, 'd')
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(&probe{})
	flags.Var(&probe{}, "p", "usage")
	_ = flags.Parse([]string{"-p", "x", "-p=y"})
	flags.VisitAll(func(*flag.Flag) { record() })
	flags.Usage()
}

type state struct{}

func (state) Write(b []byte) (int, error) { record(); return len(b), nil }
func (state) Width() (int, bool)          { record(); return 400, true }
func (state) Precision() (int, bool)      { record(); return 0, false }
func (state) Flag(int) bool               { record(); return false }

func synchronised() {
	var once sync.Once
	once.Do(record)
	pool := sync.Pool{New: func() any { record(); return nil }}
	pool.Get()
	condition := sync.NewCond(&probe{})
	done := make(chan bool)
	go func() { record(); condition.L.Lock(); close(done) }()
	<-done
	var table sync.Map
	table.Store(1, 2)
	table.Range(func(_, _ any) bool { record(); return true })
	errors.Is(fmt.Errorf("%w", &probe{}), io.EOF)
	reflect.ValueOf(record).Call(nil)
	reflect.ValueOf(&probe{}).MethodByName("Lock").Call(nil)
	swap := reflect.MakeFunc(reflect.TypeOf(record), func([]reflect.Value) []reflect.Value { record(); return nil })
	swap.Interface().(func())()
	method := (&probe{}).Lock
	method()
	func() {
		defer func() { recover(); record() }()
		panic("recovered")
	}()
	func() {
		defer func() { recover(); record() }()
		var nothing *site
		_ = nothing.PC
	}()
}

func texts() {
	letter := func(rune) bool { record(); return false }
	strings.Map(func(r rune) rune { record(); return r + 1 }, "ab")
	strings.FieldsFunc("a b", letter)
	strings.IndexFunc("ab", letter)
	strings.TrimFunc("ab", letter)
	bytes.Map(func(r rune) rune { record(); return -1 }, []byte("ab"))
	bytes.IndexFunc([]byte("ab"), letter)
	regexp.MustCompile("a+").ReplaceAllStringFunc("aba", func(s string) string { record(); return s })
	strings.NewReplacer("a", "b", "cc", "d").WriteString(&probe{}, "abcc")
	strings.NewReader("text").WriteTo(&probe{})
	scanner := bufio.NewScanner(strings.NewReader("a b"))
	scanner.Split(func(data []byte, end bool) (int, []byte, error) { record(); return bufio.ScanWords(data, end) })
	for scanner.Scan() {
		record()
	}
	bufio.NewReader(&probe{}).ReadString('\n')
	buffered := bufio.NewWriter(&probe{})
	buffered.WriteString(strings.Repeat("x", 5000))
	buffered.Flush()
	io.Copy(&probe{}, io.TeeReader(io.MultiReader(strings.NewReader("a"), &probe{}), &probe{}))
	io.Copy(io.MultiWriter(&probe{}, &probe{}), io.LimitReader(&probe{}, 1))
	io.ReadAll(&probe{})
	io.ReadFull(&probe{}, make([]byte, 1))
	io.WriteString(&probe{}, "x")
	table := tabwriter.NewWriter(&probe{}, 0, 8, 1, ' ', 0)
	fmt.Fprintf(table, "a\tb\nccc\td\n")
	table.Flush()
}

func encoding() error {
	value := struct {
		P     *probe
		Slice []*probe
		Map   map[string]*probe
		Any   any
	}{&probe{}, []*probe{{}}, map[string]*probe{"k": {}}, &probe{}}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	value.Any = nil
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	if err := json.NewEncoder(&probe{}).Encode(value); err != nil {
		return err
	}
	xml.NewEncoder(&probe{}).Encode(value.Slice)
	json.NewDecoder(&probe{}).Decode(&value)
	return gob.NewEncoder(&probe{}).Encode(struct{ P *probe }{&probe{}})
}

func templates() error {
	functions := template.FuncMap{"record": func() string { record(); return "" }}
	parsed, err := template.New("t").Funcs(functions).Parse(
		`{{record}}{{range .}}{{record}}{{if true}}{{record}}{{end}}{{.String}}{{.}}{{with .N}}{{record}}{{end}}{{end}}{{template "u" record}}{{define "u"}}{{record}}{{end}}`)
	if err != nil {
		return err
	}
	return parsed.Execute(&probe{}, []*probe{{1}})
}

func files() error {
	directory, err := os.MkdirTemp("", "frames")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	if err := os.MkdirAll(filepath.Join(directory, "a", "b"), 0o700); err != nil {
		return err
	}
	return filepath.Walk(directory, func(string, os.FileInfo, error) error { record(); return nil })
}

func syntax() error {
	source := "package p\n\nfunc f(a int) (b string) {\n\tif a > 1 {\n\t\treturn g(a + 1)\n\t}\n\tfor range x {\n\t}\n\treturn\n}\n\ntype T struct{ X []map[int]chan int }\n"
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		return err
	}
	ast.Walk(&probe{}, file)
	ast.Inspect(file, func(ast.Node) bool { record(); return true })
	return nil
}
