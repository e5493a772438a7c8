"""A trace of tasks under a configuration, on simulated time: the daemon's own loop, with a small world behind its doors.

    arrivals  a CSV file -> when each task comes and how long it runs
    world     queue, replicas and what they run; satisfies the loop's eyes and hands
    rest      which ticks may be left out, because nothing can change in them
    run       moves the time and ticks
    bounds    what somebody would pay who knows the future
    score     both as the same row of figures
    rivals    what other autoscalers would have done in the same world
    simulate  one trace under one pool's settings: all of these
    chart     the rows as a table, the run as a picture
    standings the table with the rivals
    columns   a run in columns of equal time
    plot      those columns as a drawing

The past under another configuration, from the journal or a file:

    observations  a CSV file -> what was seen at each look, as the journal keeps it
    witness       stands at the loop's doors and shows it again
    replay        asks the loop at each look what it would decide, and compares
    reconstruct   which tasks there must have been
    retrace       both configurations simulated on these tasks
    review        all of it as one value for a pool

Which settings to take:

    presets       four of them with names
    choices       the grid that is tried, and how each choice is written in the configuration
    tune          every choice on one trace, and those worth having
"""
