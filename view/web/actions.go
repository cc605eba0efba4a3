package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"omnibus/bus/spec"
)

// queue answers the attributes of a queue.
func (h *Handler) queue(w http.ResponseWriter, r *http.Request) {
	fields, err := h.o.Source.Attributes(r.Context(), r.URL.Query().Get("queue"))
	answer(w, fields, err)
}

// send sends a message. The delay is in seconds, null for the queue's own.
func (h *Handler) send(r *http.Request, decode func(any) error) (any, error) {
	var in struct {
		Queue, Body, Group, Deduplication string
		Delay                             *float64
		Attributes                        []attributeRow
	}
	if err := decode(&in); err != nil {
		return nil, err
	}
	out := Outgoing{Body: in.Body, Group: in.Group, Deduplication: in.Deduplication}
	if in.Delay != nil {
		if !(math.Abs(*in.Delay) < math.MaxInt32) {
			return nil, badCall{fmt.Errorf("the delay of %v seconds is none", *in.Delay)}
		}
		out.Delay = new(time.Duration(*in.Delay * float64(time.Second)))
	}
	for _, a := range in.Attributes {
		value, err := a.attribute()
		if err != nil {
			return nil, err
		}
		out.Attributes = append(out.Attributes, value)
	}
	id, err := h.o.Source.Send(r.Context(), in.Queue, out)
	return map[string]string{"id": id}, err
}

func (a attributeRow) attribute() (spec.NamedAttribute, error) {
	out := spec.NamedAttribute{Name: a.Name, Attribute: spec.Attribute{DataType: a.Type, StringValue: a.Value}}
	if !out.IsBinary() {
		return out, nil
	}
	value, err := base64.StdEncoding.DecodeString(a.Value)
	if err != nil {
		return out, badCall{fmt.Errorf("the value of the binary attribute %.256q is not in base64", a.Name)}
	}
	out.StringValue, out.BinaryValue = "", value
	return out, nil
}

func (h *Handler) purge(r *http.Request, decode func(any) error) (any, error) {
	var in struct{ Queue string }
	if err := decode(&in); err != nil {
		return nil, err
	}
	return map[string]bool{"purged": true}, h.o.Source.Purge(r.Context(), in.Queue)
}

// errCannot is the error of what a Source lacks.
func errCannot(what string) error {
	return fmt.Errorf("these queues cannot %s: %w", what, errors.ErrUnsupported)
}

// maxChosen is how many messages can be chosen for one call.
const maxChosen = 10_000

func checkChosen(ids []string) error {
	if len(ids) == 0 || len(ids) > maxChosen {
		return badCall{fmt.Errorf("%d messages are chosen; allowed are 1 to %d", len(ids), maxChosen)}
	}
	return nil
}

// remove deletes the messages that were chosen.
func (h *Handler) remove(r *http.Request, decode func(any) error) (any, error) {
	var in struct {
		Queue string
		IDs   []string
	}
	if err := decode(&in); err != nil {
		return nil, err
	}
	if err := checkChosen(in.IDs); err != nil {
		return nil, err
	}
	s, ok := h.o.Source.(Remover)
	if !ok {
		return nil, errCannot("delete a message that was not received")
	}
	n, err := s.Remove(r.Context(), in.Queue, in.IDs)
	return map[string]int{"deleted": n}, err
}

// redrive moves the messages that were chosen, or, if IDs is null, begins a task that
// moves all.
func (h *Handler) redrive(r *http.Request, decode func(any) error) (any, error) {
	var in struct {
		Queue, To string
		IDs       []string
	}
	if err := decode(&in); err != nil {
		return nil, err
	}
	if in.IDs == nil {
		return h.redriveAll(r.Context(), in.Queue, in.To)
	}
	if err := checkChosen(in.IDs); err != nil {
		return nil, err
	}
	s, ok := h.o.Source.(ChosenRedriver)
	if !ok {
		return nil, errCannot("redrive chosen messages")
	}
	n, err := s.RedriveChosen(r.Context(), in.Queue, in.To, in.IDs)
	return map[string]int{"moved": n}, err
}

func (h *Handler) redriveAll(ctx context.Context, queue, to string) (any, error) {
	s, ok := h.o.Source.(Redriver)
	if !ok {
		return nil, errCannot("redrive messages")
	}
	queues, err := h.o.Source.Queues(ctx)
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		if q.ID != queue {
			continue
		}
		t, begun := h.tasks.start(h.ended, queue, to, q.Counts.Visible, func(ctx context.Context, n int) (int, error) {
			return s.Redrive(ctx, queue, to, n)
		})
		if !begun {
			return nil, fmt.Errorf("a redrive of %s is under way; it can be cancelled", q.Name)
		}
		return t, nil
	}
	return nil, spec.NoQueue(queue)
}

// cancel stops a redrive. What it has moved stays where it is.
func (h *Handler) cancel(_ *http.Request, decode func(any) error) (any, error) {
	var in struct{ ID int }
	if err := decode(&in); err != nil {
		return nil, err
	}
	if !h.tasks.stop(in.ID) {
		return nil, fmt.Errorf("no redrive %d is under way", in.ID)
	}
	return map[string]bool{"cancelled": true}, nil
}
