package bus

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Names of the attributes in a message's metadata. They follow the CloudEvents binding for Kafka, where metadata become headers.
const (
	attributeSpec        = "ce_specversion"
	attributeID          = "ce_id"
	attributeType        = "ce_type"
	attributeSource      = "ce_source"
	attributeSubject     = "ce_subject"
	attributeTime        = "ce_time"
	attributeKey         = "ce_partitionkey"
	attributeSequence    = "ce_sequence"
	attributeCorrelation = "ce_correlationid"
	attributeCausation   = "ce_causationid"
	attributeTraceParent = "ce_traceparent"
	attributeSchema      = "ce_schemaversion"
	attributeContent     = "content-type"
)

const specVersion = "1.0"

// Meta holds the CloudEvents attributes of an event.
type Meta struct {
	// ID is a UUIDv7, the same on each delivery.
	ID string
	// Type is the event's name without the version of its schema, such as kerf.orders.OrderPlaced.
	Type string
	// Source is the module that published the event.
	Source string
	// Subject is the id of the aggregate.
	Subject string
	// Key decides the partition: events of one key keep their order.
	Key string
	// Sequence counts the events of the subject from 1 without gaps.
	Sequence int64
	// Time is when it happened, on the domain clock, in microseconds.
	Time time.Time
	// CorrelationID is shared by all that one request caused; CausationID is the id of the event that caused this one directly,
	// empty if a request did.
	CorrelationID string
	CausationID   string
	// TraceParent is the W3C trace context, empty if there is none.
	TraceParent   string
	ContentType   string
	SchemaVersion int
}

// NewMessage returns a message with the attributes as metadata.
func NewMessage(meta Meta, payload []byte) *message.Message {
	msg := message.NewMessage(meta.ID, payload)
	m := make(message.Metadata, 16)
	m[attributeSpec] = specVersion
	m[attributeID] = meta.ID
	m[attributeType] = meta.Type
	m[attributeSource] = meta.Source
	m[attributeSubject] = meta.Subject
	m[attributeKey] = meta.Key
	m[attributeSequence] = strconv.FormatInt(meta.Sequence, 10)
	m[attributeTime] = meta.Time.UTC().Format(time.RFC3339Nano)
	m[attributeContent] = meta.ContentType
	m[attributeSchema] = strconv.Itoa(meta.SchemaVersion)
	setUnlessEmpty(m, attributeCorrelation, meta.CorrelationID)
	setUnlessEmpty(m, attributeCausation, meta.CausationID)
	setUnlessEmpty(m, attributeTraceParent, meta.TraceParent)
	msg.Metadata = m
	return msg
}

func setUnlessEmpty(m message.Metadata, key, value string) {
	if value != "" {
		m[key] = value
	}
}

// MetaOf reads the attributes back. The error names the first one that is missing or malformed; what could be read is returned
// with it.
func MetaOf(msg *message.Message) (Meta, error) {
	m := msg.Metadata
	meta := Meta{
		ID:            m[attributeID],
		Type:          m[attributeType],
		Source:        m[attributeSource],
		Subject:       m[attributeSubject],
		Key:           m[attributeKey],
		CorrelationID: m[attributeCorrelation],
		CausationID:   m[attributeCausation],
		TraceParent:   m[attributeTraceParent],
		ContentType:   m[attributeContent],
	}
	for _, name := range [...]string{attributeID, attributeType, attributeSource, attributeSubject, attributeKey, attributeContent} {
		if m[name] == "" {
			return meta, fmt.Errorf("event attribute %s is missing", name)
		}
	}
	var err error
	if meta.Sequence, err = strconv.ParseInt(m[attributeSequence], 10, 64); err != nil || meta.Sequence < 1 {
		return meta, fmt.Errorf("event attribute %s is %q, want a number from 1", attributeSequence, m[attributeSequence])
	}
	if meta.SchemaVersion, err = strconv.Atoi(m[attributeSchema]); err != nil {
		return meta, fmt.Errorf("event attribute %s is %q, want a number", attributeSchema, m[attributeSchema])
	}
	if meta.Time, err = time.Parse(time.RFC3339Nano, m[attributeTime]); err != nil {
		return meta, fmt.Errorf("event attribute %s is %q, want an RFC 3339 time", attributeTime, m[attributeTime])
	}
	return meta, nil
}

// KeyOf returns the partition key of a message: its attribute, or its UUID if it has none, so that messages without a key spread.
func KeyOf(msg *message.Message) string {
	if key := msg.Metadata[attributeKey]; key != "" {
		return key
	}
	return msg.UUID
}
