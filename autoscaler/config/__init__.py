"""The operator's file: from the bytes of `config.yaml` to frozen `Settings`, and what changed since the last look.

    bytes --yaml_marks--> nodes that know their line --interpolate--> text with ${VARIABLES} filled in
          --files--> secrets and env files read --models--> Settings --checks--> what no single key can know

`load` runs that line once, `changes` runs it at the beginning of every tick, `schema` and `reference` tell it to editors and people.
"""
