// Package servers starts brokers and databases on this machine, on loopback, each with its data in a folder of its own: kfake, which is in this
// program; Apache Kafka, RabbitMQ and PostgreSQL, where they are installed.
//
// They are set for development, tests and measurements: little memory, small pools, but what they acknowledge they keep as in production. One
// that dies is started again on its port and with its data; supervise does that.
package servers
