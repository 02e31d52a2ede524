package town

import "context"

// Accept has the restaurant accept an approved order of the town's, by the connection of a worker. It returns when the server has acknowledged it.
func (t *Town) Accept(ctx context.Context, worker int, orderID string) error { return nil }

// State reads an order of the town's as its diner, and returns the state that orders itself tells.
func (t *Town) State(ctx context.Context, worker int, orderID string) (string, error) { return "", nil }

// ReadYourWrites is how often the first look of Visible was made, and how often it did not see the acceptance that was acknowledged just before.
func (t *Town) ReadYourWrites() (reads, stale int64) { return 0, 0 }
