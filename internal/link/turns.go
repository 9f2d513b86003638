package link

import "github.com/sennit-net/sennit/internal/buffer"

// takeLanesLocked takes segments of the lanes in turn.
//
// A lane that had nothing to send goes first and leaves at once, so that a message now and then does not wait behind
// other lanes' queues. After that it takes its turn with the others, by deficit round robin: in each round a lane may
// send its quantum more, and keeps what it does not use while it has something to send, so that lanes get shares of bytes
// in proportion to their weights however large their messages are. A lane stays in the round until it has nothing to send
// when its turn comes; so emptying its queue again and again gains it nothing. One without credit is out of the round. A turn
// that is longer than what is handed over at once goes on with the next batch.
func (s *sender) takeLanesLocked() {
	for s.fresh.len() > 0 {
		o := s.fresh.pop()
		s.takeTurnLocked(o, s.pace.bytes)
		o.inTurn = false
		s.nextTurnLocked(o)
	}
	if len(s.batch) > 0 {
		return
	}
	for taken := 0; taken < s.pace.bytes && s.ready.len() > 0; {
		o := *s.ready.first()
		if o.segments.len() == 0 {
			s.ready.pop()
			o.leaveRound()
			continue
		}
		taken += s.takeTurnLocked(o, s.pace.bytes-taken)
		if !o.inTurn {
			s.ready.pop()
			s.nextTurnLocked(o)
		}
	}
}

// nextTurnLocked puts a lane that had its turn at the end of the round, unless it waits for credit.
func (s *sender) nextTurnLocked(o *outbox) {
	if !o.starved {
		s.ready.push(o)
		return
	}
	o.leaveRound()
	s.starved++
}

// takeTurnLocked takes what a lane may send in its turn, and about room bytes at most, and returns how many bytes that is. The
// lane is still in its turn if there was not the room for it.
func (s *sender) takeTurnLocked(o *outbox, room int) (taken int) {
	if !o.inTurn {
		o.deficit += o.weight * min(quantum, s.pace.bytes)
	}
	o.inTurn = false
	for o.segments.len() > 0 && taken+o.nextSizeLocked(s.pace.bytes) <= o.deficit {
		if taken >= room {
			o.inTurn = true
			break
		}
		next, ok := s.nextSegmentLocked(o)
		if !ok {
			o.starved = true
			break
		}
		taken += len(next.B)
		s.batch = append(s.batch, next)
	}
	o.deficit -= taken
	return taken
}

// minCut is the least part that a frame is cut for, in bytes: a remote that gives credit in crumbs gets nothing for them but
// whole frames.
const minCut = 2 << 10

// nextSegmentLocked takes a lane's next segment off its queue, or as much of it as the lane has credit for and may be
// handed over at once.
func (s *sender) nextSegmentLocked(o *outbox) (b *buffer.Buffer, ok bool) {
	next := o.segments.first()
	most := o.granted - o.spent
	if o.shape.Credit && len(next.buf.B) > s.pace.bytes {
		most = min(most, uint64(s.pace.bytes))
	}
	if next.cost > most {
		head, ok := s.framing.Split(next, most, minCut)
		if !ok {
			return nil, false
		}
		o.spent += head.cost
		return head.buf, true
	}
	o.spent += next.cost
	b = o.segments.pop().buf
	o.releaseLocked(int64(cap(b.B)))
	return b, true
}

// pendingLocked tells whether there is something to be sent. Lanes that turn out to have nothing leave the round.
func (s *sender) pendingLocked() bool {
	if s.fresh.len() > 0 || s.owed.owed > 0 || s.owed.ping || s.owed.bye || len(s.owed.credits) > 0 {
		return true
	}
	for s.ready.len() > 0 {
		o := *s.ready.first()
		if o.segments.len() > 0 {
			return true
		}
		s.ready.pop()
		o.leaveRound()
	}
	return false
}
