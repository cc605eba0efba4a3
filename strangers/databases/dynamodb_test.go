package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awsdynamodb "gocloud.dev/docstore/awsdynamodb/v2"

	"omnibus/workers"
	"omnibus/workers/docdedup"
)

// A table is as much of DynamoDB as the Go CDK's driver needs for documents that are read
// and written one by one, with conditions. A read that is not consistent returns what
// stood there before, every other time.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
type table struct {
	t     *testing.T
	mu    sync.Mutex // guards all below
	items map[string]item
	old   map[string]item // what stood there before
	late  int             // reads that were
}

type item map[string]map[string]any

func (it item) key() string { return it["Key"]["S"].(string) }

// A request is what the requests have that the driver makes.
type request struct {
	RequestItems map[string]struct {
		Keys           []item
		ConsistentRead bool
	}
	Item, Key                 item
	ConditionExpression       string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]map[string]any
}

func (d *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out any = struct{}{}
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch action {
	case "DescribeTable":
		out = map[string]any{"Table": map[string]any{"TableName": "dedup"}}
	case "BatchGetItem":
		found := []item{}
		for _, key := range in.RequestItems["dedup"].Keys {
			it, ok := d.items[key.key()]
			if !in.RequestItems["dedup"].ConsistentRead && rand.IntN(2) == 0 {
				d.late++
				it, ok = d.old[key.key()]
			}
			if ok {
				found = append(found, it)
			}
		}
		out = map[string]any{"Responses": map[string]any{"dedup": found}}
	case "PutItem", "DeleteItem":
		key := in.Key
		if action == "PutItem" {
			key = in.Item
		}
		if !d.holds(in, d.items[key.key()]) {
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "The conditional request failed"}
			break
		}
		if there, ok := d.items[key.key()]; ok {
			d.old[key.key()] = there
		} else {
			delete(d.old, key.key())
		}
		if delete(d.items, key.key()); action == "PutItem" {
			d.items[key.key()] = in.Item
		}
	default:
		d.t.Errorf("the driver asks for %s", action)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// holds reports whether a request's condition holds for the item that is there.
func (d *table) holds(in request, there item) bool {
	name := in.ExpressionAttributeNames["#0"]
	switch in.ConditionExpression {
	case "":
		return true
	case "attribute_not_exists (#0)":
		return there[name] == nil
	case "#0 = :0":
		return there[name] != nil && fmt.Sprint(there[name]) == fmt.Sprint(in.ExpressionAttributeValues[":0"])
	}
	d.t.Errorf("the condition is %q", in.ConditionExpression)
	return false
}

// onDynamoDB runs a test in virtual time, with consistent reads and without.
func onDynamoDB(t *testing.T, test func(t *testing.T, s *docdedup.Store)) {
	for _, consistent := range []bool{true, false} {
		t.Run(fmt.Sprint("consistent ", consistent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &table{t: t, items: map[string]item{}, old: map[string]item{}}
				endpoint := "http://127.0.0.1:8000"
				client := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
					HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
						w := httptest.NewRecorder()
						d.ServeHTTP(w, r)
						return w.Result(), nil
					})})
				c, err := awsdynamodb.OpenCollection(client, "dedup", "Key", "", &awsdynamodb.Options{ConsistentRead: consistent})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				test(t, docdedup.New(c))
				if (d.late > 0) == consistent {
					t.Errorf("%d reads were late", d.late)
				}
			})
		})
	}
}

func TestOnDynamoDBOfManyThatClaimAKeyAtOnceOneGetsIt(t *testing.T) {
	onDynamoDB(t, func(t *testing.T, s *docdedup.Store) {
		for round := range 50 {
			key := fmt.Sprint("key", round%5) // taken over in later rounds
			var got atomic.Int64
			var all sync.WaitGroup
			for i := range 10 {
				all.Go(func() {
					claim, err := s.Claim(t.Context(), key, fmt.Sprint(round, "/", i), time.Second)
					if err != nil {
						t.Error(err)
					} else if claim == workers.Claimed {
						got.Add(1)
					}
				})
			}
			all.Wait()
			if got.Load() > 1 {
				t.Fatalf("round %d: %d have the key", round, got.Load())
			}
			time.Sleep(2 * time.Second)
		}
	})
}

func TestOnDynamoDBWhatWasHandledIsADuplicateForAllUntilItIsForgotten(t *testing.T) {
	onDynamoDB(t, func(t *testing.T, s *docdedup.Store) {
		for round := range 30 {
			key := fmt.Sprint("key", round)
			if claim, err := s.Claim(t.Context(), key, "one", time.Minute); err != nil || claim != workers.Claimed {
				t.Fatalf("the first claim is %v, %v", claim, err)
			}
			if claim, err := s.Claim(t.Context(), key, "two", time.Minute); err != nil || claim != workers.Held {
				t.Fatalf("the claim of another one is %v, %v", claim, err)
			}
			if err := s.Release(t.Context(), key, "two"); err != nil { // which does not have it
				t.Fatal(err)
			}
			if err := s.Handled(t.Context(), key, time.Hour); err != nil {
				t.Fatal(err)
			}
			for range 5 { // a late read says that it is still held
				if claim, err := s.Claim(t.Context(), key, "two", time.Minute); err != nil || claim == workers.Claimed {
					t.Fatalf("after it was handled a claim is %v, %v", claim, err)
				}
			}
		}
		time.Sleep(2 * time.Hour)
		claimed := 0
		for range 10 {
			claim, err := s.Claim(t.Context(), "key0", "three", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if claim == workers.Claimed {
				claimed++
			}
		}
		if claimed == 0 {
			t.Error("what is forgotten cannot be claimed")
		}
	})
}
