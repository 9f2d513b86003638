package file

import "context"

// assembler builds the levels of a tree above subtrees that come in order. A level's node is made when the subtree after
// it comes, or at the end: only then is it known whether there is anything beside it.
type assembler struct {
	shape  shape
	maker  *maker
	levels [][]item // by level: complete subtrees that have no parent yet; at the end an incomplete one may be the last
}

// add adds a subtree of a level after those that are there. Only the very last one may be incomplete.
func (a *assembler) add(ctx context.Context, level int, it item) error {
	for len(a.levels) <= level {
		a.levels = append(a.levels, nil)
	}
	if len(a.levels[level]) == a.shape.branches() {
		node, err := a.maker.node(ctx, a.levels[level])
		if err != nil {
			return err
		}
		a.levels[level] = a.levels[level][:0]
		if err := a.add(ctx, level+1, node); err != nil {
			return err
		}
	}
	a.levels[level] = append(a.levels[level], it)
	return nil
}

// finish builds what is missing and returns the root.
func (a *assembler) finish(ctx context.Context) (item, error) {
	for level := 0; level < len(a.levels); level++ {
		items := a.levels[level]
		if len(items) == 0 {
			continue
		}
		last := items[0]
		switch {
		case len(items) == 1 && a.top(level):
			return last, nil
		case len(items) == 1 && last.size < a.shape.capacity(level):
			// A rest that no node of its own is made for.
		default:
			// Also if it is the only child: a rest of exactly one full child has a node above it.
			node, err := a.maker.node(ctx, items)
			if err != nil {
				return item{}, err
			}
			if last = node; a.top(level) {
				return node, nil
			}
		}
		if err := a.add(ctx, level+1, last); err != nil {
			return item{}, err
		}
	}
	return item{}, ErrEmpty
}

// top reports whether there is nothing above a level.
func (a *assembler) top(level int) bool {
	for _, items := range a.levels[level+1:] {
		if len(items) > 0 {
			return false
		}
	}
	return true
}
