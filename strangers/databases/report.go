package main

import (
	"context"
	"fmt"
	"time"
)

// report prints the counts. Its error says what must not be.
func (c *campaign) report(ctx context.Context, took time.Duration) error {
	committed, err := c.count(ctx, "SELECT attempt, COUNT(*) FROM orders GROUP BY attempt")
	if err != nil {
		return err
	}
	effects, err := c.count(ctx, "SELECT attempt, COUNT(*) FROM effects GROUP BY attempt")
	if err != nil {
		return err
	}
	r := &c.record
	r.mu.Lock()
	defer r.mu.Unlock()
	var never, once, more, sentAgain, ghosts, unarrived int
	for attempt := range committed {
		switch n := effects[attempt]; n {
		case 0:
			never++
		case 1:
			once++
		default:
			more++
		}
		switch n := len(r.messages[attempt]); {
		case n == 0:
			unarrived++
		case n > 1:
			sentAgain++
		}
	}
	for attempt := range r.messages {
		if committed[attempt] == 0 {
			ghosts++
		}
	}
	for attempt := range effects {
		if committed[attempt] == 0 && r.messages[attempt] == nil {
			ghosts++
		}
	}
	for attempt := range r.rolled {
		if committed[attempt] > 0 {
			return fmt.Errorf("the order %s was rolled back and is there", attempt)
		}
	}
	fmt.Printf("%8d orders committed, in %v; %d more were rolled back on purpose\n", len(committed), took.Round(time.Millisecond), len(r.rolled))
	fmt.Printf("         %v\n", r)
	fmt.Printf("%8d messages sent more than once, since their relay was killed\n", sentAgain)
	fmt.Printf("%8d deliveries\n", r.deliveries)
	fmt.Printf("%8d committed orders whose message did not arrive\n", unarrived)
	fmt.Printf("%8d messages of orders that were rolled back\n", ghosts)
	fmt.Printf("%8d orders had their effect once\n", once)
	fmt.Printf("%8d more than once\n", more)
	fmt.Printf("%8d never\n", never)
	switch {
	case len(committed) != c.orders || unarrived+ghosts+more+never > 0:
		return fmt.Errorf("of %d orders %d were committed, %d did not arrive, %d had no effect, %d had it twice; %d arrived that were rolled back", c.orders, len(committed), unarrived, never, more, ghosts)
	case r.killed["writer"] == 0 || r.killed["relay"] == 0:
		return fmt.Errorf("no writer or no relay was killed in %v; write more orders, or kill more often", took)
	case len(r.rolled) == 0:
		return fmt.Errorf("no order was rolled back")
	}
	return nil
}

// count returns the counts of a query, by attempt.
func (c *campaign) count(ctx context.Context, query string) (map[string]int, error) {
	rows, err := c.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var attempt string
		var n int
		if err := rows.Scan(&attempt, &n); err != nil {
			return nil, err
		}
		counts[attempt] = n
	}
	return counts, rows.Err()
}
