"""What other autoscalers would have done with the same tasks in the same world, written from their published behaviour.

    rival      what a rival is shown, and what it answers: how many replicas there should be
    keda, hpa, knative, dask, latency, aws, step, fixed
               the rivals, a module each, with the source of every number
    mechanics  who has to leave, and how long it is given: theirs, or ours
    catalog    all of them by name
    contest    a rival in the loop's place, in the world that our own policy is simulated in

They are models: `docs/simulate.md` says what each leaves out. In doubt they were given the better of two readings.
"""
