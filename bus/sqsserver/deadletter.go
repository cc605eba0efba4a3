package sqsserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// CancelMessageMoveTask, ListDeadLetterSourceQueues, ListMessageMoveTasks and
// StartMessageMoveTask.
//
// Supported: moving a dead-letter queue's messages to another queue or back to
// where they came from, at 1 to 500 messages a second, one task of a queue at a
// time; the last ten tasks of a queue with their states.
//
// Not as on AWS: without a rate, a task moves 500 messages a second. It stops at
// once when cancelled, so there is no CANCELLING. It ends when no message is
// ready that it could move, instead of with those that were there when it began,
// and is not stopped after 36 hours.

type listDeadLetterSourceQueues struct {
	page
	queueURL string
}

func (a *listDeadLetterSourceQueues) member(name []byte, r *jsonReader) {
	switch {
	case string(name) == "QueueUrl":
		a.queueURL = r.text()
	case !a.page.member(name, r):
		r.skip()
	}
}

func (a *listDeadLetterSourceQueues) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	return a.cut(c, c.server.engine.DeadLetterSources(q.Name()))
}

func (a *listDeadLetterSourceQueues) answer(w writer) { a.write(w, "queueUrls") }

// queueByARN returns the queue with an ARN, which a parameter of the request
// names.
func (c *call) queueByARN(arn, parameter string) (*engine.Queue, error) {
	if arn == "" {
		return nil, spec.Missing(parameter)
	}
	if name, ok := c.server.QueueOf(arn); ok {
		if q, err := c.server.engine.Queue(name); err == nil {
			return q, nil
		}
	} else if !isARN(arn) {
		return nil, spec.Errorf(spec.InvalidParameterValue, "You must use this format to specify the %s: arn:<partition>:<service>:<region>:<account-id>:<resource-id>", parameter)
	}
	return nil, spec.NoResource(parameter)
}

type startMessageMoveTask struct {
	source, destination string
	rate                *int
	handle              string
}

func (a *startMessageMoveTask) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "SourceArn":
		a.source = r.text()
	case "DestinationArn":
		a.destination = r.text()
	case "MaxNumberOfMessagesPerSecond":
		a.rate = r.number()
	default:
		r.skip()
	}
}

func (a *startMessageMoveTask) run(c *call) error {
	q, err := c.queueByARN(a.source, "SourceArn")
	if err != nil {
		return err
	}
	to := ""
	if a.destination != "" {
		dest, err := c.queueByARN(a.destination, "DestinationArn")
		if err != nil {
			return err
		}
		to = dest.Name()
	}
	rate := 0
	if a.rate != nil {
		rate = *a.rate
		if err := spec.CheckMoveRate(rate); err != nil { // 0 too, which to the engine is none given
			return err
		}
	}
	task, err := q.StartMove(to, rate)
	if err != nil {
		return err
	}
	a.handle = taskHandle{task.ID, a.source}.String()
	return nil
}

func (a *startMessageMoveTask) answer(w writer) { w.text("TaskHandle", a.handle) }

// taskHandle is what the handle of a task says, in base64 of JSON as on AWS.
type taskHandle struct {
	TaskID    string `json:"taskId"`
	SourceArn string `json:"sourceArn"`
}

func (h taskHandle) String() string { return base64.StdEncoding.EncodeToString([]byte(jsonText(h))) }

type cancelMessageMoveTask struct {
	handle string
	moved  int
}

func (a *cancelMessageMoveTask) member(name []byte, r *jsonReader) {
	if string(name) == "TaskHandle" {
		a.handle = r.text()
		return
	}
	r.skip()
}

func (a *cancelMessageMoveTask) run(c *call) error {
	if a.handle == "" {
		return spec.Missing("TaskHandle")
	}
	var h taskHandle
	text, err := base64.StdEncoding.DecodeString(a.handle)
	if err != nil || json.Unmarshal(text, &h) != nil || h.TaskID == "" || h.SourceArn == "" {
		return spec.Errorf(spec.InvalidParameterValue, "Value for parameter TaskHandle is invalid.")
	}
	q, err := c.queueByARN(h.SourceArn, "SourceArn")
	if err != nil {
		return err
	}
	a.moved, err = q.CancelMove(h.TaskID)
	return err
}

func (a *cancelMessageMoveTask) answer(w writer) {
	w.number("ApproximateNumberOfMessagesMoved", int64(a.moved))
}

type listMessageMoveTasks struct {
	source string
	max    *int
	tasks  []engine.MoveTask
	server *Server
}

func (a *listMessageMoveTasks) member(name []byte, r *jsonReader) {
	switch string(name) {
	case "SourceArn":
		a.source = r.text()
	case "MaxResults":
		a.max = r.number()
	default:
		r.skip()
	}
}

func (a *listMessageMoveTasks) run(c *call) error {
	a.server = c.server
	q, err := c.queueByARN(a.source, "SourceArn")
	if err != nil {
		return err
	}
	most := 1
	if a.max != nil {
		if most = *a.max; most < 1 || most > spec.MaxMoveTasks {
			return spec.InvalidParameter(strconv.Itoa(most), "MaxResults", fmt.Sprintf("Must be between 1 and %d, if provided.", spec.MaxMoveTasks))
		}
	}
	a.tasks, err = q.Moves()
	a.tasks = a.tasks[:min(most, len(a.tasks))]
	return err
}

func (a *listMessageMoveTasks) answer(w writer) {
	if len(a.tasks) == 0 {
		return
	}
	w.beginList("Results")
	for _, t := range a.tasks {
		const element = "ListMessageMoveTasksResultEntry"
		w.beginItem(element)
		if t.Status == engine.MoveRunning {
			w.text("TaskHandle", taskHandle{t.ID, a.source}.String())
		}
		w.text("Status", string(t.Status))
		w.text("SourceArn", a.source)
		if t.Destination != "" {
			w.text("DestinationArn", a.server.ARN(t.Destination))
		}
		if t.Rate > 0 {
			w.number("MaxNumberOfMessagesPerSecond", int64(t.Rate))
		}
		w.number("ApproximateNumberOfMessagesMoved", int64(t.Moved))
		w.number("ApproximateNumberOfMessagesToMove", int64(t.ToMove))
		if t.FailureReason != "" {
			w.text("FailureReason", t.FailureReason)
		}
		w.number("StartedTimestamp", t.Started.UnixMilli())
		w.endItem(element)
	}
	w.endList()
}
