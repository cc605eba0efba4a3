package snsserver

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"

	"omnibus/bus/internal/inprocess"
	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// Options configure a server. Queues is required.
type Options struct {
	// Queues takes what is delivered to queues.
	Queues topics.Queues

	Region  string // of requests that are not signed; default us-east-1
	Account string // of requests whose access key is not 12 digits; default 000000000000

	// Base returns the address at which the client of a request reaches the
	// server, as in http://127.0.0.1:9324, as the method Base of a sqsserver.Server
	// does. nil means the Host of the request.
	Base func(*http.Request) string

	// Transport carries deliveries to endpoints over HTTP, all of which are on
	// loopback addresses. nil means one that connects to no others.
	Transport http.RoundTripper
}

// A Server is an SNS endpoint, with a little of STS: an [http.Handler]. It is safe
// for concurrent use. It starts a goroutine for each delivery over HTTP, which
// [Server.Close] ends.
type Server struct {
	opts   Options
	topics *topics.Engine
	signer *signer
	poster *poster
}

// CheckOptions reports a region that has other characters than a-z, 0-9 and
// hyphens, an account that is not 12 digits, and that there are no queues.
func CheckOptions(o *Options) error {
	switch {
	case o.Queues == nil:
		return fmt.Errorf("snsserver: there are no Queues to deliver to")
	case o.Region != "" && !spec.IsRegion(o.Region):
		return fmt.Errorf("snsserver: region %q has characters other than a-z, 0-9 and hyphens", o.Region)
	case o.Account != "" && !spec.IsAccount(o.Account):
		return fmt.Errorf("snsserver: account %q is not 12 digits", o.Account)
	}
	return nil
}

// New returns a server. It panics when [CheckOptions] refuses opts.
func New(opts *Options) *Server {
	if err := CheckOptions(opts); err != nil {
		panic(err)
	}
	s := &Server{opts: *opts, signer: &signer{}}
	if s.opts.Region == "" {
		s.opts.Region = "us-east-1"
	}
	if s.opts.Account == "" {
		s.opts.Account = "000000000000"
	}
	s.poster = newPoster(opts.Transport)
	s.topics = topics.New(topics.Options{Queues: opts.Queues, Poster: s.poster, Signer: s.signer})
	s.poster.bury = s.topics.Bury
	return s
}

// Topics returns the engine that holds the server's topics.
func (s *Server) Topics() *topics.Engine { return s.topics }

// Close ends the deliveries over HTTP that are under way, which go to their
// dead-letter queues, and waits for them to end. Requests are answered as before.
func (s *Server) Close() { s.poster.close() }

// Client returns an HTTP client whose requests the server answers without a
// socket, for SDKs, also in a synctest bubble. Use [Beside] for one that SQS
// answers too.
func (s *Server) Client() *http.Client { return inprocess.Client(s) }

const (
	snsNamespace = "http://sns.amazonaws.com/doc/2010-03-31/"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	snsVersion   = "2010-03-31"
	stsVersion   = "2011-06-15"
)

// An action is one action of the API. It reads the parameters of a call and
// writes its result.
type action struct {
	run       func(*call) error
	noResult  bool   // its answer has no element for a result
	namespace string // "" means that of SNS
}

var actions = map[string]action{
	"AddPermission":             {run: (*call).addPermission, noResult: true},
	"ConfirmSubscription":       {run: (*call).confirmSubscription},
	"CreateTopic":               {run: (*call).createTopic},
	"DeleteTopic":               {run: (*call).deleteTopic, noResult: true},
	"GetSubscriptionAttributes": {run: (*call).getSubscriptionAttributes},
	"GetTopicAttributes":        {run: (*call).getTopicAttributes},
	"ListSubscriptions":         {run: (*call).listSubscriptions},
	"ListSubscriptionsByTopic":  {run: (*call).listSubscriptionsByTopic},
	"ListTagsForResource":       {run: (*call).listTagsForResource},
	"ListTopics":                {run: (*call).listTopics},
	"Publish":                   {run: (*call).publish},
	"PublishBatch":              {run: (*call).publishBatch},
	"RemovePermission":          {run: (*call).removePermission, noResult: true},
	"SetSubscriptionAttributes": {run: (*call).setSubscriptionAttributes, noResult: true},
	"SetTopicAttributes":        {run: (*call).setTopicAttributes, noResult: true},
	"Subscribe":                 {run: (*call).subscribe},
	"TagResource":               {run: (*call).tagResource},
	"Unsubscribe":               {run: (*call).unsubscribe, noResult: true},
	"UntagResource":             {run: (*call).untagResource},

	"GetCallerIdentity": {run: (*call).getCallerIdentity, namespace: stsNamespace},
}

// Actions returns the names of the actions that the server has, sorted.
func Actions() []string {
	var names []string
	for name := range actions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isCertificatePath(r.URL.Path) {
		s.signer.serve(w, r)
		return
	}
	c := newCall(s, r)
	name, a, err := c.action()
	if a.namespace == "" {
		a.namespace = snsNamespace
		if c.params["Version"] == stsVersion {
			a.namespace = stsNamespace
		}
	}
	c.xml.WriteString(`<` + name + `Response xmlns="` + a.namespace + `">`)
	if err == nil {
		if !a.noResult {
			c.xml.open(name + "Result")
		}
		err = a.run(c)
	}
	if a.run != nil {
		c.describe(w, name)
	} else {
		c.describe(w, "")
	}
	if err != nil {
		c.send(w, c.xml.writeError(asSpecError(err), a.namespace, c.requestID))
		return
	}
	if !a.noResult {
		c.xml.close(name + "Result")
	}
	c.xml.open("ResponseMetadata")
	c.xml.text("RequestId", c.requestID)
	c.xml.close("ResponseMetadata")
	c.xml.close(name + "Response")
	c.send(w, http.StatusOK)
}

// action reads the parameters and returns the action that they name.
func (c *call) action() (string, action, error) {
	var err error
	if c.params, err = c.form(); err != nil {
		return "", action{}, err
	}
	name, version := c.params["Action"], c.params["Version"]
	if version == "" {
		version = snsVersion
	}
	a, ok := actions[name]
	switch isSTS := a.namespace == stsNamespace; {
	case name == "":
		err = spec.Errorf(codeMissingAction, "The request must contain the parameter Action.")
	case !ok, isSTS && version == snsVersion && c.params["Version"] != "", !isSTS && version != snsVersion:
		err = spec.Errorf(codeInvalidAction, "Could not find operation %.80s for version %.20s", name, version)
	}
	return name, a, err
}

func encodeToken(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

func decodeToken(token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	return string(b), err
}
