// Package play plays a day against a running Kerf, through the public API alone: diners who order, kitchens that cook and couriers who
// ride, each at their times on the server's domain clock. At the end it waits until nothing is under way, checks what must always hold, and
// reports.
package play
