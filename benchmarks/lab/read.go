package lab

import "errors"

// Read gives what an output folder holds: the findings of each of its experiments, in the order in which they were made, results and conclusions
// included, whether or not all runs are there. The experiments are those that this program knows; one that is missing among them is an error.
func Read(out string, experiments []Experiment) ([]*Findings, Environment, error) {
	return nil, Environment{}, errors.New("nothing was measured in " + out)
}
