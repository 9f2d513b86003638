package link

// ring is a first-in first-out queue in a circular slice that grows as needed; what bounds it is the bytes its users
// count. The zero value is an empty queue.
type ring[T any] struct {
	items []T // length a power of two, or zero
	head  int
	n     int
}

func (r *ring[T]) len() int { return r.n }

func (r *ring[T]) push(v T) {
	if r.n == len(r.items) {
		grown := make([]T, max(8, 2*len(r.items)))
		for i := range r.n {
			grown[i] = r.items[(r.head+i)&(len(r.items)-1)]
		}
		r.items, r.head = grown, 0
	}
	r.items[(r.head+r.n)&(len(r.items)-1)] = v
	r.n++
}

// first returns a pointer to the oldest item; the queue must not be empty.
func (r *ring[T]) first() *T { return &r.items[r.head] }

// last returns a pointer to the newest item; the queue must not be empty.
func (r *ring[T]) last() *T { return &r.items[(r.head+r.n-1)&(len(r.items)-1)] }

func (r *ring[T]) pop() T {
	var zero T
	v := r.items[r.head]
	r.items[r.head] = zero
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.n--
	return v
}

// shrink frees the slice of an empty queue.
func (r *ring[T]) shrink() {
	if r.n == 0 {
		*r = ring[T]{}
	}
}
