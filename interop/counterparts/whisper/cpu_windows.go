package main

import "time"

var started = time.Now()

// cpuTime returns the time that has passed, which is all that can be had here without much ado.
func cpuTime() time.Duration { return time.Since(started) }
