"""zones"""
from alembic import op

revision = "b3"
down_revision = "b2"


def upgrade():
    op.execute("CREATE TABLE zone (id integer)")


def downgrade():
    op.execute("DROP TABLE zone")
