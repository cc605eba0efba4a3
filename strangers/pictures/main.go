//go:build strangers

// Command pictures makes the pictures of the page in docs, in Chromium, from queues with
// a minute of traffic.
//
//	go run -tags strangers ./strangers/pictures docs
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"omnibus"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/strangers/chromium"
	"omnibus/view/web"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pictures DIRECTORY")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if err := pictures(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// traffic is what happens at one queue.
type traffic struct {
	name, dead string
	rate       float64       // messages a second, on average
	wave       float64       // seconds from one high to the next
	delay      time.Duration // of each message
	work       time.Duration // from a receive to its deletion
	takes      float64       // messages a second that are received at most
	fails      float64       // of those received, the share that is not deleted
}

var all = []traffic{
	{name: "donors", dead: "donors-dead", rate: 9, wave: 26, delay: 4 * time.Second, work: 3 * time.Second, takes: 8, fails: 0.3},
	{name: "donors-dead"},
	{name: "emails", dead: "emails-dead", rate: 14, wave: 17, work: time.Second, takes: 15, fails: 0.1},
	{name: "emails-dead"},
	{name: "invoices.fifo", rate: 3, wave: 40, work: 2 * time.Second, takes: 3},
	{name: "newsletter"},
	{name: "receipts", rate: 5, wave: 12, delay: 10 * time.Second, work: time.Second, takes: 9},
	{name: "reports", rate: 0.6, wave: 60, work: 8 * time.Second, takes: 0.5},
	{name: "thumbnails", rate: 20, wave: 33, work: 2 * time.Second, takes: 19},
	{name: "webhooks", rate: 7, wave: 21, work: 3 * time.Second, takes: 6.5, fails: 0.05},
}

func create(e *engine.Engine) ([]*engine.Queue, error) {
	queues := make([]*engine.Queue, len(all))
	for i := len(all) - 1; i >= 0; i-- { // dead-letter queues come behind theirs
		t := all[i]
		var s spec.QueueSettings
		if t.dead != "" {
			s.DeadLetter = &spec.DeadLetter{Queue: t.dead, MaxReceives: 2}
		}
		if spec.IsFIFOName(t.name) {
			s.FIFO, s.ContentBasedDeduplication = new(true), new(true)
		}
		q, err := e.Create(t.name, s)
		if err != nil {
			return nil, err
		}
		queues[i] = q
	}
	return queues, nil
}

// run has traffic at a queue until ctx ends.
func (t traffic) run(ctx context.Context, q *engine.Queue, donors []json.RawMessage) {
	const step = 50 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	r := rand.New(rand.NewPCG(1, uint64(len(t.name))))
	var owed, may float64
	for n := 0; ; n++ {
		now := float64(n) * step.Seconds()
		owed += t.rate * (1 + 0.9*math.Sin(2*math.Pi*now/t.wave)) * step.Seconds()
		for ; owed >= 1; owed-- {
			m := engine.Message{Body: string(donors[r.IntN(len(donors))]), Attributes: []spec.NamedAttribute{
				{Name: "JobType", Attribute: spec.Attribute{DataType: "String", StringValue: "NewDonor"}},
				{Name: "Producer", Attribute: spec.Attribute{DataType: "String", StringValue: []string{"Slow", "Fast"}[r.IntN(2)]}},
			}}
			if spec.IsFIFOName(t.name) {
				m.Group, m.Deduplication = fmt.Sprint("customer-", r.IntN(9)), fmt.Sprintf("%d-%.0f", n, owed)
			} else if t.delay > 0 {
				m.Delay = new(t.delay)
			}
			_, _ = q.Send(m) // what fails is seen to be missing
		}
		may = min(may+t.takes*step.Seconds(), 10)
		for ; may >= 1; may-- {
			got, _ := q.Receive(ctx, engine.ReceiveRequest{Visibility: new(t.work + 2*time.Second), Wait: new(time.Duration(0))})
			for _, d := range got {
				if r.Float64() >= t.fails {
					time.AfterFunc(t.work, func() { _, _ = q.Delete(d.ReceiptHandle) })
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// picture is one picture: what is looked at, how, and what is done before.
type picture struct {
	name   string
	path   string
	look   chromium.Look
	script string
}

var (
	wide  = chromium.Look{Width: 1280, Height: 800, Scale: 1}
	dark  = chromium.Look{Width: 1280, Height: 800, Scale: 1, Dark: true}
	phone = chromium.Look{Width: 390, Height: 844, Scale: 1.5, Phone: true, Dark: true}
)

const minute = `[...document.querySelectorAll(".choice button")][0].click();`

var shown = []picture{
	{"page-light", "#/", wide, ""},
	{"page-dark", "#/", dark, ""},
	{"queue-dark", "#/q/donors", dark, minute},
	{"queue-light", "#/q/donors", wide, minute + `[...document.querySelectorAll("button.tile")][1].click()`},
	{"message-light", "#/q/donors-dead", wide, `setTimeout(() => { document.querySelector("button.line").click(); document.querySelector(".columns").scrollIntoView(); scrollBy(0, -70) }, 500)`},
	{"queue-phone", "#/q/donors", phone, minute},
}

func pictures(ctx context.Context, dir string) error {
	e := engine.New(nil)
	queues, err := create(e)
	if err != nil {
		return err
	}
	var donors []json.RawMessage
	if err := json.Unmarshal(omnibus.FastDonors, &donors); err != nil {
		return err
	}
	h := web.New(web.Options{Source: web.Engine(func() *engine.Engine { return e }), Title: "sqsd"})
	server := httptest.NewServer(web.Mount("/ui/", h, http.NotFoundHandler()))
	defer server.Close()
	defer h.Close()
	b, err := chromium.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	watching, err := b.Open(ctx, wide, server.URL+"/ui/") // has samples taken from the beginning
	if err != nil {
		return err
	}
	traffic, stop := context.WithCancel(ctx)
	defer stop()
	for i, t := range all {
		go t.run(traffic, queues[i], donors)
	}
	if err := wait(ctx, 65*time.Second); err != nil {
		return err
	}
	for _, s := range shown {
		if err := s.take(ctx, b, server.URL+"/ui/"+s.path, dir); err != nil {
			return err
		}
	}
	return watching.Close(ctx)
}

func (s picture) take(ctx context.Context, b *chromium.Browser, url, dir string) error {
	p, err := b.Open(ctx, s.look, url)
	if err != nil {
		return err
	}
	if err := p.Wait(ctx, `document.querySelector("#connection").dataset.state === "live"`); err != nil {
		return err
	}
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	if s.script != "" {
		if err := p.Run(ctx, s.script, nil); err != nil {
			return err
		}
	}
	if s.path == "#/q/donors" && !s.look.Phone {
		if err := p.Point(ctx, 900, 430); err != nil { // shows the values there
			return err
		}
	}
	if err := wait(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	png, err := p.Picture(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, s.name+".png"), png, 0o644); err != nil {
		return err
	}
	return p.Close(ctx)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
