package kafka

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/segmentio/kafka-go"
)

// uuidHeader is where Watermill's own adapter keeps a message's UUID; metadata have headers of their own names.
const uuidHeader = "_watermill_message_uuid"

// headers returns a message's UUID and metadata.
func headers(msg *message.Message) []kafka.Header {
	headers := make([]kafka.Header, 0, len(msg.Metadata)+1)
	headers = append(headers, kafka.Header{Key: uuidHeader, Value: []byte(msg.UUID)})
	for name, value := range msg.Metadata {
		headers = append(headers, kafka.Header{Key: name, Value: []byte(value)})
	}
	return headers
}

// newMessage returns a new message of what was read. What another program published without a UUID gets its place in the log as one,
// which is the same each time it is read.
func newMessage(record *kafka.Message) *message.Message {
	metadata := make(message.Metadata, len(record.Headers))
	uuid := ""
	for _, header := range record.Headers {
		if header.Key == uuidHeader {
			uuid = string(header.Value)
			continue
		}
		metadata[header.Key] = string(header.Value)
	}
	if uuid == "" {
		uuid = fmt.Sprintf("%s-%d-%d", record.Topic, record.Partition, record.Offset)
	}
	msg := message.NewMessage(uuid, record.Value)
	msg.Metadata = metadata
	return msg
}
