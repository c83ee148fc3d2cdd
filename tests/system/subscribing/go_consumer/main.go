// Reads `count` records of a topic with sarama, makes CloudEvents of them with the official SDK, and prints them as JSON,
// ordered by source and the text of the extension `sequence`. The SDK gets the attributes as HTTP headers: they differ
// from Kafka's only in the prefix.
//
//	go run . BOOTSTRAP TOPIC PARTITIONS COUNT
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

func main() {
	bootstrap, topic := os.Args[1], os.Args[2]
	partitions, _ := strconv.Atoi(os.Args[3])
	count, _ := strconv.Atoi(os.Args[4])

	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		log.Fatal(err)
	}
	records := make(chan *sarama.ConsumerMessage)
	for number := 0; number < partitions; number++ {
		partition, err := consumer.ConsumePartition(topic, int32(number), sarama.OffsetOldest)
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			for record := range partition.Messages() {
				records <- record
			}
		}()
	}
	events := make([]*event.Event, 0, count)
	for len(events) < count {
		record := <-records
		headers := http.Header{}
		for _, header := range record.Headers {
			headers.Set(strings.Replace(string(header.Key), "ce_", "ce-", 1), string(header.Value))
		}
		message := cehttp.NewMessage(headers, io.NopCloser(bytes.NewReader(record.Value)))
		read, err := binding.ToEvent(context.Background(), message)
		if err != nil {
			log.Fatal(err)
		}
		events = append(events, read)
	}
	sort.Slice(events, func(one, other int) bool {
		if events[one].Source() != events[other].Source() {
			return events[one].Source() < events[other].Source()
		}
		return events[one].Extensions()["sequence"].(string) < events[other].Extensions()["sequence"].(string)
	})
	if err := json.NewEncoder(os.Stdout).Encode(events); err != nil {
		log.Fatal(err)
	}
}
