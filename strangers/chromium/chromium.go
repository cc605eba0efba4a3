//go:build strangers

// Package chromium drives a headless Chromium for tests and pictures, by the DevTools
// protocol over pipes: no port is opened, and nothing but the standard library is
// needed.
//
// https://chromedevtools.github.io/devtools-protocol/
package chromium

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A Browser is a running Chromium with a profile of its own.
type Browser struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	profile string

	mu      sync.Mutex // guards all below
	latest  int
	waiting map[int]chan answer
	err     error
}

type answer struct {
	ID        int             `json:"id"`
	Result    json.RawMessage `json:"result"`
	Error     *failure        `json:"error"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	SessionID string          `json:"sessionId"`
}

type failure struct {
	Message string `json:"message"`
}

// Start starts the Chromium at CHROMIUM in the environment, /usr/bin/chromium without.
// For it all names below .example are this machine, as after a rebinding.
func Start(ctx context.Context) (*Browser, error) {
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		return nil, err
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	b := &Browser{in: in, profile: profile, waiting: map[int]chan answer{}}
	b.cmd = exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--force-color-profile=srgb", "--user-data-dir="+profile, "--remote-debugging-pipe",
		"--host-resolver-rules=MAP *.example 127.0.0.1", "about:blank")
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	b.cmd.WaitDelay = 5 * time.Second
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	err = errors.Join(theirIn.Close(), theirOut.Close())
	go b.read(out)
	return b, err
}

// Close ends the browser.
func (b *Browser) Close() error {
	_, err := b.call(context.Background(), "", "Browser.close", nil)
	_ = b.in.Close()
	_ = b.cmd.Wait()
	return errors.Join(err, os.RemoveAll(b.profile))
}

// read takes what the browser says, in texts that end with a zero.
func (b *Browser) read(out io.ReadCloser) {
	defer out.Close()
	r := bufio.NewReader(out)
	for {
		text, err := r.ReadBytes(0)
		var a answer
		if err == nil {
			err = json.Unmarshal(text[:len(text)-1], &a)
		}
		b.mu.Lock()
		if err != nil {
			b.err = fmt.Errorf("the browser has gone: %w", err)
			for _, w := range b.waiting {
				close(w)
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		w := b.waiting[a.ID]
		delete(b.waiting, a.ID)
		b.mu.Unlock()
		if w != nil {
			w <- a
		}
	}
}

// call calls a method of the protocol.
func (b *Browser) call(ctx context.Context, session, method string, params any) (json.RawMessage, error) {
	b.mu.Lock()
	if b.err != nil {
		defer b.mu.Unlock()
		return nil, b.err
	}
	b.latest++
	id := b.latest
	w := make(chan answer, 1)
	b.waiting[id] = w
	text, err := json.Marshal(struct {
		ID        int    `json:"id"`
		Method    string `json:"method"`
		Params    any    `json:"params,omitempty"`
		SessionID string `json:"sessionId,omitempty"`
	}{id, method, params, session})
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case a, ok := <-w:
		switch {
		case !ok:
			return nil, b.err
		case a.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// A Page is a tab.
type Page struct {
	browser *Browser
	session string
}

// Look is how a page is looked at.
type Look struct {
	Width, Height int
	Scale         float64 // pixels of the picture a pixel of the page
	Phone, Dark   bool
}

// Open opens a page in a tab of its own.
func (b *Browser) Open(ctx context.Context, l Look, url string) (*Page, error) {
	var target struct{ TargetID string }
	if err := b.into(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	var session struct{ SessionID string }
	if err := b.into(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session); err != nil {
		return nil, err
	}
	p := &Page{b, session.SessionID}
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	for _, c := range []struct {
		method string
		params any
	}{
		{"Page.enable", nil},
		{"Emulation.setDeviceMetricsOverride", map[string]any{"width": l.Width, "height": l.Height, "deviceScaleFactor": max(l.Scale, 1), "mobile": l.Phone}},
		{"Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}},
		{"Page.navigate", map[string]any{"url": url}},
	} {
		if _, err := b.call(ctx, p.session, c.method, c.params); err != nil {
			return nil, err
		}
	}
	return p, p.Wait(ctx, `document.readyState === "complete" && location.href !== "about:blank"`)
}

func (b *Browser) into(ctx context.Context, session, method string, params, to any) error {
	text, err := b.call(ctx, session, method, params)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	return err
}

// Run runs JavaScript in the page, awaits what it returns and stores it in to, which may
// be nil.
func (p *Page) Run(ctx context.Context, script string, to any) error {
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.browser.into(ctx, p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &out)
	switch {
	case err != nil:
		return err
	case out.ExceptionDetails != nil:
		return fmt.Errorf("%s: %s %s", script, out.ExceptionDetails.Text, out.ExceptionDetails.Exception.Description)
	case to == nil || out.Result.Value == nil:
		return nil
	}
	return json.Unmarshal(out.Result.Value, to)
}

// Wait waits until an expression is true in the page, up to ctx's end.
func (p *Page) Wait(ctx context.Context, expression string) error {
	for {
		var is bool
		err := p.Run(ctx, "Boolean("+expression+")", &is)
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not become true: %w", expression, errors.Join(err, ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Type types a text into what has the focus.
func (p *Page) Type(ctx context.Context, text string) error {
	_, err := p.browser.call(ctx, p.session, "Input.insertText", map[string]any{"text": text})
	return err
}

// Press presses a key, named as in KeyboardEvent.key.
func (p *Page) Press(ctx context.Context, key string) error {
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key}
		if len(key) == 1 && kind == "keyDown" {
			params["text"] = key
		}
		if key == "Enter" && kind == "keyDown" {
			params["text"], params["windowsVirtualKeyCode"] = "\r", 13
		}
		if _, err := p.browser.call(ctx, p.session, "Input.dispatchKeyEvent", params); err != nil {
			return err
		}
	}
	return nil
}

// Point moves the pointer to a place in the page.
func (p *Page) Point(ctx context.Context, x, y float64) error {
	_, err := p.browser.call(ctx, p.session, "Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": x, "y": y})
	return err
}

// Picture returns a PNG of what the page shows.
func (p *Page) Picture(ctx context.Context) ([]byte, error) {
	var out struct{ Data string }
	if err := p.browser.into(ctx, p.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &out); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(out.Data)
}

// Close closes the tab.
func (p *Page) Close(ctx context.Context) error {
	_, err := p.browser.call(ctx, p.session, "Page.close", nil)
	return err
}
