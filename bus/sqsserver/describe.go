package sqsserver

// A Describer is an [http.ResponseWriter] that wants to know what the request
// asks for that it answers, as one that keeps a log does. It is called once, before
// the answer, with what is known by then: no action where there is none of that
// name, and no queue where an action has none.
type Describer interface {
	Describe(account, region, action, queue string)
}

func (c *call) describe() {
	if d, ok := c.w.(Describer); ok {
		d.Describe(c.place.account, c.place.region, c.action, c.queueName)
	}
}
