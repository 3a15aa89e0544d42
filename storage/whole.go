package storage

import "github.com/gregor-mq/gregor/record"

// Whole cuts off a last batch that is not whole: what a Span may end with.
func Whole(batches []byte) []byte {
	n := 0
	for n < len(batches) {
		size, _, err := record.Peek(batches[n:])
		if err != nil || size > len(batches)-n {
			break
		}
		n += size
	}
	return batches[:n]
}
