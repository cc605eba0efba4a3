package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"omnibus/lab"
)

// chapterLine is what the tour says around a story.
type chapterLine struct {
	Event string   `json:"event"` // question, skipped or answer
	Story string   `json:"story"`
	Title string   `json:"title,omitempty"`
	Text  string   `json:"text"`
	Look  []string `json:"look,omitempty"`
}

func runTour(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "tour",
		"Walk through the lab's stories, each with a question before and the answer after.\nOn a terminal it waits for Enter before each. At its own pace the first takes\nunder three minutes and each of the others about one.\nThe queues are in memory unless -queue or BUS_URL names another; stories add to\nits name, and leave out what the backend lacks.",
		"omnibus tour\nomnibus tour -from deadletters -speed 2")
	from := f.String("from", "", "`name` of the story to begin with")
	run := f.addLab()
	if err := f.parse(args); err != nil {
		return err
	}
	if _, err := run.lab(); err != nil {
		return err
	}
	stories := lab.Stories()
	if *from != "" {
		first, err := lab.FindStory(*from)
		if err != nil {
			return usageError{err}
		}
		for stories[0].Name != first.Name {
			stories = stories[1:]
		}
	}
	for i, story := range stories {
		l, err := run.lab()
		if err != nil {
			return err
		}
		l.Story = story.Name
		on, err := run.chapter(ctx, l, story, fmt.Sprintf("%d of %d", i+1, len(stories)))
		if err != nil || !on {
			return err
		}
	}
	return nil
}

// chapter plays a story between its question and its answer. It reports false if the
// tour is to end.
func (s *labFlags) chapter(ctx context.Context, l *lab.Lab, story *lab.Story, place string) (bool, error) {
	a := s.flags.app
	out := printer{a.out, s.asJSON}
	say := func(line chapterLine, text string) error {
		if s.asJSON {
			return out.object(line)
		}
		_, err := fmt.Fprintln(a.out, text)
		return err
	}
	if err := say(chapterLine{"question", story.Name, story.Title, story.Question, story.Look}, "\n"+wrap(place+": "+story.Question)+"\n"); err != nil {
		return false, err
	}
	if a.terminal && !s.asJSON {
		fmt.Fprint(a.out, "Enter begins, n is for the next one, q ends: ")
		switch strings.ToLower(a.answer(ctx)) {
		case "n":
			return true, nil
		case "q":
			return false, nil
		}
	}
	if ctx.Err() != nil {
		return false, nil
	}
	err := s.play(ctx, l, story)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return true, say(chapterLine{"skipped", story.Name, story.Title, err.Error(), nil}, "Left out: "+visible(err.Error()))
	case err != nil || ctx.Err() != nil:
		return false, err
	}
	return true, say(chapterLine{"answer", story.Name, "", story.Answer, nil}, "\n"+wrap("The answer: "+story.Answer))
}

// wrap breaks a text into lines of 80 characters at most, where words end.
func wrap(text string) string {
	const most = 80
	var b strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		switch {
		case length == 0:
		case length+1+len(word) > most:
			b.WriteByte('\n')
			length = 0
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String()
}
