package lab

import (
	"time"

	"omnibus"
	"omnibus/bus"
)

// QueueName is the name of the lab's queue.
const QueueName = "mynewq"

const donorsEach = 50 // in each of the two sets

// QueueSettings are those of the lab's queue: a delay of 5 s, a retention of a
// day.
func QueueSettings() bus.QueueSettings {
	return bus.QueueSettings{Delay: new(5 * time.Second), Retention: new(24 * time.Hour)}
}

// A ProducerPreset is one of the lab's producers.
type ProducerPreset struct {
	Name     string
	DataName string // of the file that Data was
	Data     []byte // a JSON array
	Every    time.Duration
	Delay    time.Duration
	Metadata map[string]string
}

// A ConsumerPreset is one of the lab's consumers.
type ConsumerPreset struct {
	Name       string
	Visibility time.Duration
	Wait       time.Duration
	Pause      time.Duration
}

// Producers are the presets of the lab's producers, by name.
var Producers = map[string]ProducerPreset{
	"slow": {
		Name: "slow producer", DataName: "donors-slow.json", Data: omnibus.SlowDonors,
		Every: time.Second, Delay: 10 * time.Second,
		Metadata: map[string]string{"JobType": "NewDonor", "Producer": "Slow"},
	},
	"fast": {
		Name: "fast producer", DataName: "donors-fast.json", Data: omnibus.FastDonors,
		Every: time.Second, Delay: 2 * time.Second,
		Metadata: map[string]string{"JobType": "NewDonor", "Producer": "Fast"},
	},
}

// Consumers are the presets of the lab's consumers, by name.
var Consumers = map[string]ConsumerPreset{
	"slow": {Name: "slow consumer", Visibility: 20 * time.Second, Wait: 10 * time.Second, Pause: 8 * time.Second},
	"fast": {Name: "fast consumer", Visibility: 5 * time.Second, Wait: 10 * time.Second, Pause: 2 * time.Second},
}
