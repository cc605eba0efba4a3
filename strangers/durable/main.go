//go:build strangers

// Command durable measures what durability costs: sqsd -data beside fauxqs on its own
// store, and beside sqsd without syncs and in memory. All are started here, on directories
// of one disk, and take turns under the same load: clients that send messages of 200 bytes
// in batches of ten at the same time, and then receive and delete them all.
//
//	durable -sqsd SQSD -fauxqs SERVER.JS -node NODE [-check]
//
// fauxqs keeps its store since 2.0 with Node.js 22.5 or newer. It listens on every
// interface, so where there is more than loopback the program refuses to start it: run it
// in a network namespace of its own. The table is Markdown. With -check, a limit that is
// not kept is an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"omnibus/strangers/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "durable: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	sqsd := flag.String("sqsd", "", "`program` sqsd")
	fauxqs := flag.String("fauxqs", "", "`file` dist/server.js of fauxqs")
	node := flag.String("node", "node", "`program` Node.js, 22.5 or newer")
	dir := flag.String("dir", "", "`directory` on the disk to measure; default that of temporary files")
	l := load{}
	flag.IntVar(&l.messages, "messages", 100_000, "messages for sqsd")
	flag.IntVar(&l.theirs, "theirs", 5_000, "messages for fauxqs, which takes longer for each")
	flag.IntVar(&l.clients, "clients", 16, "clients at a time")
	check := flag.Bool("check", false, "fail if a limit is not kept")
	flag.Parse()
	if *sqsd == "" || *fauxqs == "" {
		return errors.New("-sqsd and -fauxqs are needed")
	}
	if l.clients < 1 || l.messages%(l.clients*batchSize) != 0 || l.theirs < l.clients*batchSize {
		return fmt.Errorf("%d messages are no whole number of batches of %d for each of %d clients", l.messages, batchSize, l.clients)
	}
	if err := process.OnlyLoopback(); err != nil {
		return err
	}
	work, err := os.MkdirTemp(*dir, "durable")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	in := func(name string) string { return filepath.Join(work, name) }
	var all []*figures
	for _, s := range []*server{
		{name: "sqsd -data", args: []string{*sqsd, "-data", in("synced")}, flag: "-addr"},
		{name: "fauxqs on its store", args: []string{*node, *fauxqs}, env: []string{"FAUXQS_LOGGER=false", "FAUXQS_DATA_DIR=" + in("fauxqs"), "FAUXQS_PERSISTENCE=true"}, port: "FAUXQS_PORT="},
		{name: "sqsd -data -sync=false", args: []string{*sqsd, "-data", in("written"), "-sync=false"}, flag: "-addr"},
		{name: "sqsd in memory", args: []string{*sqsd}, flag: "-addr"},
	} {
		f, err := s.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, f)
	}
	return report(os.Stdout, all, *check)
}
