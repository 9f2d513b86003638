// Command racy writes one variable from two goroutines, so that .ci/run can see the race detector fire.
package main

import "sync"

func main() {
	var n int
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { n++ })
	}
	wg.Wait()
	println(n)
}
