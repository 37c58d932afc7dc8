"""count"""
import sqlalchemy as sa
from alembic import op

revision = "e4"
down_revision = "d3"


def upgrade():
    found = op.get_bind().execute(sa.text("SELECT count(*) FROM customer")).scalar()
    op.execute(f"INSERT INTO stats VALUES ({found})")


def downgrade():
    op.execute("DELETE FROM stats")
