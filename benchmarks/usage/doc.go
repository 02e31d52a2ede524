// Package usage tells what processes use: CPU, memory, threads, context switches and bytes, from Linux's /proc.
package usage
