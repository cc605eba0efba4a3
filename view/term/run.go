package term

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"omnibus/watch"
)

// Run draws what the streams carry while work runs, which gets a context that ends when
// the person quits. It returns work's error, or else its own. The last picture stays on
// the screen. Events may be nil.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer, samples *watch.Stream[watch.Sample], events *watch.Stream[watch.Event], work func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	drawing, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	m := New(working, o, time.Now(), stop)
	options := []tea.ProgramOption{tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()}
	if _, ok := out.(*os.File); !ok {
		options = append(options, tea.WithWindowSize(m.width, m.height)) // nobody can be asked for another one
	}
	program := tea.NewProgram(m, options...)
	go follow(drawing, samples.Follow(0), func(vs []watch.Sample) { program.Send(Samples(vs)) })
	if events != nil {
		go follow(drawing, events.Follow(0), func(vs []watch.Event) { program.Send(Events(vs)) })
	}
	worked := make(chan error, 1)
	go func() {
		err := work(working)
		program.Send(Ended{})
		program.Quit()
		worked <- err
	}()
	_, err := program.Run()
	stop() // if the view ended first, the work must too
	if workErr := <-worked; workErr != nil {
		return workErr
	}
	m.ended, m.help = true, false
	if err == nil {
		_, err = lipgloss.Fprintln(out, strings.TrimRight(m.Frame(), " \n"))
	}
	return err
}

// follow calls draw with what a viewer sees until ctx ends.
func follow[T any](ctx context.Context, v *watch.Viewer[T], draw func([]T)) {
	for {
		vs, _, err := v.Next(ctx)
		if err != nil {
			return
		}
		draw(vs)
	}
}

func splitLines(s string) []string { return strings.Split(s, "\n") }
