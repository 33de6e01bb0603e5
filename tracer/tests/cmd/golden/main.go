// Package main is the program of which golden.json is a capture: a shop with two
// tenants, a cache that leaks, and a goroutine that renders and throws away.
//
//	tracer record --pid $(pgrep shop) --mode exact --maps writes --duration 2s -o golden.json
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"example.org/shop/cache"
)

type order struct {
	id    int64
	items []string
}

func serve(tenant string, users *cache.Cache, step int64) {
	pprof.Do(context.Background(), pprof.Labels("tenant", tenant), func(context.Context) {
		for id := step; ; id += step {
			for n := range int64(4) {
				users.Load(id*4 + n)
			}
			page := render(order{id: id, items: []string{"tea", "milk"}})
			if len(page) == 0 {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func render(o order) string {
	var page strings.Builder
	page.Grow(2 << 10)
	for _, item := range o.items {
		page.WriteString(item)
	}
	return page.String()
}

func main() {
	runtime.MemProfileRate = 16 << 10
	debug.SetGCPercent(30)
	go serve("acme", cache.New(), 1)
	go serve("globex", cache.New(), 3)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	pprof.Lookup("heap").WriteTo(os.Stdout, 0)
}
