package snsserver_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"omnibus/bus"
	"omnibus/bus/bustest"
	"omnibus/bus/sqsbus"
	_ "omnibus/internal/cleanenv"
)

// Topics of SNS keep what the kit asks of a backend, from package bus through the SDK
// and the protocols of both services and back.
func TestConformance(t *testing.T) {
	var r *rig
	bustest.Run(t, bustest.Backend{
		Virtual: true,
		Setup: func(t testing.TB) (*bus.Mux, func(name string) string) {
			r = newRig(nil)
			mux := new(bus.Mux)
			sqsbus.New(&sqsbus.Options{HTTPClient: r.http}).Register(mux)
			return mux, func(name string) string { return "http://127.0.0.1:9324/" + account + "/" + name + "?region=" + region }
		},
		Topic: func(name string) string {
			made, err := r.sns.CreateTopic(context.Background(), &sns.CreateTopicInput{Name: aws.String(name)})
			if err != nil {
				panic(err)
			}
			return sqsbus.SchemeSNS + ":///" + *made.TopicArn + "?endpoint=http://127.0.0.1:9324"
		},
	})
}
