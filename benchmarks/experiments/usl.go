package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"kerf/benchmarks/lab"
)

// usl is Gunther's Universal Scalability Law: the throughput of N clients is
//
//	X(N) = λN / (1 + σ(N−1) + κN(N−1))
//
// where λ is the throughput of one client that meets nobody, in requests per second; σ, contention, is the share of the work that only one can
// do at a time; and κ, coherence, is what each pair of clients costs each other. None is negative, so the model has no word for a server that gets
// more efficient under load, as one does that commits for several clients at once.
//
// Neil J. Gunther, "A General Theory of Computational Scalability Based on Rational Functions", arXiv:0808.1431 (2008); the form with λ is that of
// Baron Schwartz, "Practical Scalability Analysis with the Universal Scalability Law" (2015).
type usl struct{ Lambda, Sigma, Kappa float64 }

// at is the throughput of n clients.
func (u usl) at(n float64) float64 {
	return u.Lambda * n / (1 + u.Sigma*(n-1) + u.Kappa*n*(n-1))
}

// peak is how many clients get most, and how much that is. Without coherence cost there is no peak but a ceiling, λ/σ, that infinitely many clients
// reach.
func (u usl) peak() (clients, throughput float64) {
	switch {
	case u.Sigma >= 1:
		return 1, u.at(1)
	case u.Kappa == 0:
		return math.Inf(1), u.Lambda / u.Sigma
	}
	clients = max(1, math.Sqrt((1-u.Sigma)/u.Kappa))
	return clients, u.at(clients)
}

// fitUSL finds the law that is nearest to points of clients and throughput, by the sum of squares. It takes at least four different numbers of
// clients, one more than the law has parameters.
func fitUSL(points []lab.Point) (usl, error) {
	different, most := map[float64]bool{}, 0.0
	for _, p := range points {
		different[p.X] = true
		most = max(most, p.Y)
	}
	if len(different) < 4 || most <= 0 {
		return usl{}, errors.New("a fit takes the throughput of at least four numbers of clients")
	}
	// Squares keep the parameters from being negative, and the simplex needs no gradient.
	law := func(x []float64) usl { return usl{x[0] * x[0], x[1] * x[1], x[2] * x[2]} }
	problem := optimize.Problem{Func: func(x []float64) float64 {
		u, sum := law(x), 0.0
		for _, p := range points {
			off := (p.Y - u.at(p.X)) / most // relative to the most, so that one tolerance does for all throughputs
			sum += off * off
		}
		return sum
	}}
	best, found := math.Inf(1), usl{}
	for _, start := range starts(points) {
		res, err := optimize.Minimize(problem, start, &optimize.Settings{MajorIterations: 5000}, &optimize.NelderMead{})
		if err != nil {
			return usl{}, fmt.Errorf("fit the Universal Scalability Law: %w", err)
		}
		if res.F < best {
			best, found = res.F, law(res.X)
		}
	}
	return found.visible(slices.MaxFunc(points, func(a, b lab.Point) int { return cmp.Compare(a.X, b.X) }).X), nil
}

// visible is the law without costs that cannot be seen up to n clients: a minimum at 0 is never quite reached.
func (u usl) visible(n float64) usl {
	if u.Sigma*(n-1) < unseen {
		u.Sigma = 0
	}
	if u.Kappa*n*(n-1) < unseen {
		u.Kappa = 0
	}
	return u
}

// unseen is the share of the throughput that no measurement shows.
const unseen = 1e-4

// starts are square roots of parameters from which a fit begins. Several, because the surface has flat valleys: little contention with much
// coherence looks like the reverse over few clients.
func starts(points []lab.Point) [][]float64 {
	lambda := 0.0 // what one client would get, at least
	for _, p := range points {
		lambda = max(lambda, p.Y/p.X)
	}
	var all [][]float64
	for _, sigma := range []float64{0.01, 0.1, 0.5} {
		for _, kappa := range []float64{1e-4, 1e-2} {
			all = append(all, []float64{math.Sqrt(lambda), math.Sqrt(sigma), math.Sqrt(kappa)})
		}
	}
	return all
}
