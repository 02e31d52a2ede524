// Package geo is positions on the earth: how they are read, how far apart they are, and boxes to look for them in.
package geo
