// Package codec writes Kerf's events in four formats and tells what that costs: JSON and Protobuf as the bus writes them, and Avro and XML, whose schemas
// are derived from the events' protobuf descriptors.
//
// A codec gives back the message that it was given, whatever the format: the tests say so of every event there is, and each measurement checks it again.
// It owns no data.
package codec
